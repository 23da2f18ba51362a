//! Policy text to a decision tree, and every question about it.
//!
//! In: `.route` text and the catalog. Out: a [`tree::Tree`] and [`diagnostic::Diagnostic`]s; decisions, plans, explanations.
//! Must not know: files, clocks, sockets, async, HTTP. pest is named in [`syntax`] alone.
//!
//! ```text
//! source -> lexer -> syntax -> ast -> resolve -> checked -> boxes -> prove | tree -> admit -> decide -> plan
//! ```

pub mod ast;
pub mod checked;
pub mod diagnostic;
pub mod plan;
pub mod readings;
pub mod source;
