//! `attribute NAME is …`
//!
//! In: declarations. Out: the table of attributes. Must not know: where values are looked up at run time.

use std::sync::Arc;

use http::HeaderName;

use super::super::ast::{self, ItemKind, Value, ValueKind};
use super::super::checked::{Attribute, AttributeDomain, AttributeSource, AttributeValue};
use super::super::diagnostic::{Diagnostic, R108, R112, R113, R118, R119};
use super::super::source::Span;
use super::Resolver;
use super::names::Sort;
use super::values::kind;

/// Headers that carry identity, secrets or framing; a policy must not read them (clarification 9).
const RESERVED_HEADERS: [&str; 14] = [
    "authorization",
    "proxy-authorization",
    "proxy-authenticate",
    "x-api-key",
    "api-key",
    "cookie",
    "host",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
];

impl<'a> Resolver<'a> {
    pub(super) fn attributes(&mut self) {
        // Decls of the space are filtered by sort, so only attributes come back.
        for (name, span, item) in self.names.all(Sort::Attribute) {
            let ItemKind::Attribute(written) = &item.kind else { continue };
            // A broken attribute keeps its place with any value, so that conditions on it make no second finding.
            let domain = self.attribute_domain(name, written).unwrap_or(AttributeDomain::Text);
            let sources = written.sources.iter().filter_map(|source| self.attribute_source(source)).collect();
            let default = written.default.as_ref().and_then(|value| self.attribute_default(name, &domain, value));
            self.out.attributes.push(Attribute { name: name.into(), domain, sources, default, span });
        }
    }

    fn attribute_domain(&mut self, name: &str, written: &'a ast::Attribute) -> Option<AttributeDomain> {
        match &written.domain.node {
            ast::AttributeDomain::YesOrNo => Some(AttributeDomain::YesOrNo),
            ast::AttributeDomain::Text => Some(AttributeDomain::Text),
            ast::AttributeDomain::OneOf(values) => {
                let mut known: Vec<(Arc<str>, Span)> = Vec::new();
                for value in values {
                    let Some(word) = self.desk.name(value, "`one of`") else { continue };
                    if let Some((_, first)) = known.iter().find(|(known, _)| **known == *word) {
                        let message = format!("`{word}` is listed twice");
                        self.desk
                            .report(Diagnostic::new(&R108, value.span, message).label(*first, "first listed here"));
                        continue;
                    }
                    known.push((word.into(), value.span));
                }
                if known.is_empty() {
                    let message = format!("attribute `{name}` has no values, so every request would be refused");
                    self.desk
                        .report(Diagnostic::new(&R112, written.domain.span, message).help("list at least one value"));
                    return None;
                }
                Some(AttributeDomain::OneOf(known.into_iter().map(|(word, _)| word).collect()))
            }
            ast::AttributeDomain::Number(range) => {
                let ValueKind::Range(low, high) = &range.kind else {
                    return self.desk.mismatch(range, "`number`", "a range, like `0..100`");
                };
                let lo = self.desk.number(low, "`number`", "whole units")?;
                let hi = self.desk.number(high, "`number`", "whole units")?;
                if lo >= hi {
                    let message = format!("`{}` holds no number", self.desk.text(range.span));
                    let help = "a range includes its left end and not its right; write the smaller number first";
                    self.desk.report(Diagnostic::new(&R113, range.span, message).help(help));
                    return None;
                }
                Some(AttributeDomain::Number { lo, hi })
            }
        }
    }

    fn attribute_source(&mut self, source: &ast::AttributeSource) -> Option<AttributeSource> {
        let key = source.key.node.as_str();
        match source.kind.node.as_str() {
            "metadata" => Some(AttributeSource::Metadata(key.into())),
            "claim" => Some(AttributeSource::Claim(key.into())),
            "header" => {
                let Ok(name) = HeaderName::from_bytes(key.as_bytes()) else {
                    let message = format!("`{}` cannot be the name of a header", source.key.node);
                    self.desk
                        .report(Diagnostic::new(&R119, source.key.span, message).help("write it like `\"x-channel\"`"));
                    return None;
                };
                let name = name.as_str();
                if name.starts_with("x-wayside-") || RESERVED_HEADERS.contains(&name) {
                    let message = format!("header `{name}` is reserved and cannot carry an attribute");
                    let finding = Diagnostic::new(&R119, source.key.span, message);
                    self.desk.report(finding.help("choose a header of your own, like `\"x-channel\"`"));
                    return None;
                }
                Some(AttributeSource::Header(name.into()))
            }
            other => {
                let message = format!("an attribute cannot come from `{other}`");
                let finding = Diagnostic::new(&R119, source.kind.span, message);
                self.desk.report(finding.help("write `from header`, `from metadata` or `from claim`"));
                None
            }
        }
    }

    /// R118.
    fn attribute_default(&mut self, name: &str, domain: &AttributeDomain, value: &Value) -> Option<AttributeValue> {
        let takes = match (domain, &value.kind) {
            (AttributeDomain::OneOf(known), ValueKind::Word(word) | ValueKind::Str(word)) => {
                if let Some(at) = known.iter().position(|known| **known == **word) {
                    return Some(AttributeValue::OneOf(at as u32));
                }
                format!("one of {}", list(known))
            }
            (AttributeDomain::OneOf(known), _) => format!("one of {}", list(known)),
            (AttributeDomain::YesOrNo, ValueKind::Word(word)) if word == "yes" || word == "no" => {
                return Some(AttributeValue::YesOrNo(word == "yes"));
            }
            (AttributeDomain::YesOrNo, _) => "`yes` or `no`".into(),
            (AttributeDomain::Text, ValueKind::Str(text) | ValueKind::Word(text)) => {
                return Some(AttributeValue::Text(text.as_str().into()));
            }
            (AttributeDomain::Text, _) => "a text".into(),
            (AttributeDomain::Number { lo, hi }, ValueKind::Quantity(_)) => {
                let number = self.desk.number(value, "`default`", "whole units")?;
                if (*lo..*hi).contains(&number) {
                    return Some(AttributeValue::Number(number));
                }
                format!("a number from {lo} up to, and not including, {hi}")
            }
            (AttributeDomain::Number { lo, hi }, _) => format!("a number from {lo} up to, and not including, {hi}"),
        };
        let written = self.desk.text(value.span);
        let message = format!("the default of `{name}` is {takes}; `{written}` is {}", off(&value.kind));
        self.desk.report(Diagnostic::new(&R118, value.span, message).here("outside its own domain"));
        None
    }
}

fn off(value: &ValueKind) -> &'static str {
    match value {
        ValueKind::Word(_) | ValueKind::Str(_) | ValueKind::Quantity(_) => "not",
        other => kind(other),
    }
}

fn list(words: &[Arc<str>]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
