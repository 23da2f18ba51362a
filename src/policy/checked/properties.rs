//! Properties: what a file of tests says of every request of an area (section 10).
//!
//! In: [`super::super::resolve`] builds them. Out: `test` proves them. Must not know: proofs. A property promises nothing at run
//! time; a guarantee with the same clauses does.

use super::Guarantee;
use crate::policy::ast::Value;
use crate::policy::source::Spanned;

/// A declared property.
#[derive(Clone, Debug)]
pub struct Property {
    /// Its name, its area and the clauses that guarantees have, too.
    pub guarantee: Guarantee,
    /// The clauses that only properties have.
    pub claims: Vec<Spanned<Says>>,
    /// A part of it has a finding, so it cannot be proven.
    pub broken: bool,
}

/// A clause that speaks of decisions; its names are not looked up yet.
#[derive(Clone, Debug, PartialEq)]
pub enum Says {
    /// `never reads X`
    NeverReads(Value),
    /// `same as rule N`
    SameAs(Value),
    /// `matches otherwise`
    Otherwise,
}
