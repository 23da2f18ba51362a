//! Options in force, as a program reads them. Changes are additive.
//!
//! In: [`Effective`]. Out: JSON. Must not know: layout.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::Value;

use super::super::super::checked::{Checked, Feature, Hop, Origin, Promise, Rule, WrittenAt};
use super::super::super::render::json::{Document, Head, Place, place};
use super::super::super::shown::options as written;
use super::super::super::source::Sources;
use super::{Effective, From, GUARD, Setting, chain, claim, of_chain, of_hop, target};
use crate::units::Tokens;

#[derive(Serialize)]
struct Body<'a> {
    effective: Vec<OfRule<'a>>,
    features: Vec<OfFeature<'a>>,
}

#[derive(Serialize)]
struct OfRule<'a> {
    rule: &'a str,
    span: Place,
    kind: &'static str,
    tier: Option<&'a str>,
    order: Option<&'static str>,
    options: Options<'a>,
    hops: Vec<OfHop<'a>>,
}

#[derive(Serialize)]
struct OfHop<'a> {
    claim: &'static str,
    snapshot: String,
    from: &'static str,
    span: Place,
    options: Options<'a>,
}

#[derive(Serialize)]
struct OfFeature<'a> {
    feature: &'a str,
    max_output: Option<Tokens>,
    deadline_ms: Option<u64>,
    span: Place,
}

/// Options by name, each with its origin. There may be several guards, so they are a list.
struct Options<'a>(Vec<Setting>, &'a Sources);

#[derive(Serialize)]
struct InForce<'a> {
    value: &'a Value,
    scope: &'static str,
    span: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lowers: Option<Lowers>,
}

/// What an inherited value was before a nearer one lowered it: where it is written; nowhere when it is built in.
#[derive(Serialize)]
struct Lowers {
    span: Option<Place>,
}

impl Serialize for Options<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(settings, sources) = self;
        let (guards, rest): (Vec<&Setting>, Vec<&Setting>) = settings.iter().partition(|one| one.key == GUARD);
        let mut map = serializer.serialize_map(None)?;
        for one in rest {
            map.serialize_entry(one.key, &in_force(one, sources))?;
        }
        if !guards.is_empty() {
            let said = guards.iter().filter(|one| !one.value.is_null()).map(|one| in_force(one, sources));
            map.serialize_entry("guards", &said.collect::<Vec<_>>())?;
        }
        map.end()
    }
}

fn in_force<'a>(setting: &'a Setting, sources: &Sources) -> InForce<'a> {
    let at = |at: WrittenAt| place(at.span, sources);
    let lowers = match setting.from {
        From::Lowered { from, .. } => Some(Lowers { span: from.map(at) }),
        From::Written(_) | From::BuiltIn | From::Catalog => None,
    };
    let scope = match setting.from {
        From::BuiltIn => "built_in",
        other => other.word(),
    };
    InForce { value: &setting.value, scope, span: setting.from.place().map(at), lowers }
}

impl Effective<'_> {
    /// The document, ending in a newline.
    ///
    /// # Errors
    /// None that can happen: every part is plain data.
    pub fn json(&self, sources: &Sources) -> Result<String, serde_json::Error> {
        let checked = self.tree.checked();
        let body = Body {
            effective: self.rules.iter().map(|rule| of_rule(checked, rule, sources)).collect(),
            features: self.features().map(|one| of_feature(one, sources)).collect(),
        };
        Document::new(Head::of_policy("explain", &checked.name, self.tree.hash()), body).pretty()
    }
}

fn of_rule<'a>(checked: &'a Checked, rule: &'a Rule, sources: &'a Sources) -> OfRule<'a> {
    let chain = chain(rule);
    let tier = chain.and_then(|chain| match chain.promise {
        Promise::Nothing => None,
        Promise::Tier(id) => Some(&*checked.tiers[id.index()].name),
        Promise::AsRequested => Some("as requested"),
    });
    let hop = |hop: &Hop| OfHop {
        claim: claim(hop),
        snapshot: target(checked, hop),
        from: if matches!(hop.origin, Origin::Tier(_)) { "tier" } else { "written" },
        span: place(hop.span, sources),
        options: Options(of_hop(checked, hop), sources),
    };
    OfRule {
        rule: &rule.name,
        span: place(rule.span, sources),
        kind: if chain.is_some() { "chain" } else { "reject" },
        tier,
        order: chain.filter(|_| tier.is_some()).map(|chain| written::order(chain.order)),
        options: Options(chain.map(|chain| of_chain(checked, chain)).unwrap_or_default(), sources),
        hops: chain.map(|chain| chain.hops.iter().map(hop).collect()).unwrap_or_default(),
    }
}

fn of_feature<'a>(feature: &'a Feature, sources: &Sources) -> OfFeature<'a> {
    OfFeature {
        feature: &feature.name,
        max_output: feature.max_output,
        deadline_ms: feature.deadline.map(|time| time.0),
        span: place(feature.span, sources),
    }
}
