//! The parser pest makes from `grammar/route.pest`.
//!
//! In: text. Out: pairs, for the other files of this folder. Must not know: anything else.

use pest_derive::Parser;

/// pest's parser; its `Rule` is one variant per rule of the grammar.
#[derive(Parser)]
#[grammar = "grammar/route.pest"]
pub(super) struct RouteParser;

/// A parsed rule and what is inside it.
pub(super) type Pair<'t> = pest::iterators::Pair<'t, Rule>;
