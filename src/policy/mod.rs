//! Policy text to a decision tree, and every question about it.
//!
//! In: `.route` text and the catalog. Out: a [`tree::Tree`] and [`diagnostic::Diagnostic`]s; decisions, plans, explanations.
//! Must not know: files, clocks, sockets, async, HTTP. pest is named in [`syntax`] alone.
//!
//! ```text
//! source -> lexer -> syntax -> ast -> resolve -> checked -> boxes -> prove | tree -> admit -> decide -> plan
//! ```

pub mod admit;
pub mod ast;
pub mod atom_set;
pub mod atoms;
pub mod bounds;
pub mod boxes;
pub mod check;
pub mod checked;
pub mod decide;
pub mod declared;
pub mod diagnostic;
pub mod diff;
pub mod eligible;
pub mod explain;
pub mod facts;
pub mod fingerprint;
pub mod fix;
pub mod forbidden;
pub mod format;
pub mod graph;
pub mod holds;
pub mod lexer;
pub mod outline;
pub mod plan;
pub mod prove;
pub mod readings;
pub mod render;
pub mod replay;
pub mod request;
pub mod resolve;
pub mod shown;
pub mod source;
pub mod suppress;
pub mod syntax;
pub mod test;
pub mod tree;
