//! Every name of a set: where it is declared, and where it is used.
//!
//! In: trees. Out: mentions by place and by name. Must not know: what a name does. Names are global in a set; each kind of
//! declaration has its own, except that subjects of conditions share one.

use std::collections::BTreeMap;

use super::walk;
use crate::policy::ast::File;
use crate::policy::source::{FileId, Span};

/// What a name can stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `tier`
    Tier,
    /// `ladder`
    Ladder,
    /// `template`
    Template,
    /// `queue`
    Queue,
    /// `rule`
    Rule,
    /// A member of `plans`.
    Plan,
    /// `feature`
    Feature,
    /// `tenant`
    Tenant,
    /// `group`
    Group,
    /// `residency`
    Residency,
    /// `attribute`, `define`, `switch`, `signal`, `classifier`: what a condition looks at.
    Subject,
    /// `budget`
    Budget,
    /// `guard`
    Guard,
    /// `judge`
    Judge,
    /// `rollout`
    Rollout,
    /// `drill`
    Drill,
    /// `guarantee`
    Guarantee,
    /// A model; what declares it is its line in a tier.
    Model,
}

/// A name where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// What it stands for.
    pub kind: Kind,
    /// The name.
    pub name: String,
    /// Where.
    pub span: Span,
    /// Of a declaration: its first word, and all of it.
    pub declares: Option<(&'static str, Span)>,
}

/// All mentions of a set.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    /// In page order, file by file.
    mentions: Vec<Mention>,
    declared: BTreeMap<(Kind, String), usize>,
}

impl Symbols {
    /// Of parsed files.
    pub fn of(files: &[File]) -> Self {
        let mut raw = walk::mentions(files);
        raw.sort_by_key(|one| (one.span.file, one.span.lo));
        let mut symbols = Self::default();
        let declares = |kind: Kind, name: &str| {
            raw.iter().any(|one| one.declares.is_some() && one.kinds[0] == kind && one.name == name)
        };
        let kinds: Vec<Kind> = raw
            .iter()
            .map(|one| match one.kinds {
                [only] => *only,
                several => several.iter().copied().find(|kind| declares(*kind, &one.name)).unwrap_or(several[0]),
            })
            .collect();
        for (one, kind) in raw.into_iter().zip(kinds) {
            let mention = Mention { kind, name: one.name, span: one.span, declares: one.declares };
            if mention.declares.is_some() {
                symbols.declared.entry((kind, mention.name.clone())).or_insert(symbols.mentions.len());
            }
            symbols.mentions.push(mention);
        }
        symbols
    }

    /// The mention at a place; right behind a name still counts.
    pub fn at(&self, file: FileId, offset: u32) -> Option<&Mention> {
        let upto = self.mentions.partition_point(|one| (one.span.file, one.span.lo) <= (file, offset));
        self.mentions[..upto].last().filter(|one| one.span.file == file && offset <= one.span.hi)
    }

    /// The first declaration of a name.
    pub fn declaration(&self, kind: Kind, name: &str) -> Option<&Mention> {
        self.declared.get(&(kind, name.to_owned())).map(|at| &self.mentions[*at])
    }

    /// Every mention of a name, declarations among them.
    pub fn all<'s>(&'s self, kind: Kind, name: &'s str) -> impl Iterator<Item = &'s Mention> {
        self.mentions.iter().filter(move |one| one.kind == kind && one.name == name)
    }

    /// Every name that is declared, sorted.
    pub fn declared(&self, kind: Kind) -> impl Iterator<Item = &Mention> {
        let own = self.declared.iter().filter(move |((one, _), _)| *one == kind);
        own.map(|(_, at)| &self.mentions[*at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::source::Sources;
    use crate::policy::syntax;

    const TEXT: &str = r#"route 1
plans [free, pro]
residency eu = [eu-west]
feature advice { stakes high }
tenant acme { plan pro, residency eu, approved [openai] }
group big = [acme]
attribute channel is one of [chat, email], default chat
switch calm { default off }
define urgent as feature is advice and not calm
tier mid { openai/a-1, candidate openai/a-2 }
tier small { openai/b-1 }
template sorry "Sorry."
queue desk { staffed always }
budget lab { limit $5 per day, covers plan is pro }
guard pii { redact [email] in request }
judge fair { snapshot openai/b-1, rubric "x", budget lab }
ladder usual {
  tier mid
  fallback lower tier small
}
rule first {
  when (tenant in big or residency is eu) and channel is chat and urgent and budget lab is ok
  ladder usual
  guard pii
  degrade queue desk within 4h
  degrade template sorry
}
rollout next {
  replace openai/a-1
  with openai/a-2
  where plan in [pro] and requested_tier is mid
  scored by fair
}
guarantee never_small { for feature is advice, never tier [small], guard pii }
test "one" {
  given calm is on
  request { plan pro, feature advice, channel chat }
  expect rule first
  expect not tier small
  table plan, feature -> rule {
    pro advice -> first
  }
}
"#;

    fn symbols() -> (Symbols, String) {
        let mut sources = Sources::default();
        let id = sources.add("a.route", TEXT);
        let mut findings = vec![];
        let tree = syntax::parse(id, TEXT, &mut findings);
        assert!(findings.is_empty(), "{findings:?}");
        (Symbols::of(&[tree]), TEXT.to_owned())
    }

    #[test]
    fn every_name_is_found_where_it_is_written() {
        let (symbols, text) = symbols();
        for (kind, name, times) in [
            (Kind::Plan, "pro", 6),
            (Kind::Plan, "free", 1),
            (Kind::Residency, "eu", 3),
            (Kind::Feature, "advice", 5),
            (Kind::Tenant, "acme", 2),
            (Kind::Group, "big", 2),
            (Kind::Subject, "channel", 3),
            (Kind::Subject, "calm", 3),
            (Kind::Subject, "urgent", 2),
            (Kind::Tier, "mid", 3),
            (Kind::Tier, "small", 4),
            (Kind::Template, "sorry", 2),
            (Kind::Queue, "desk", 2),
            (Kind::Budget, "lab", 3),
            (Kind::Guard, "pii", 3),
            (Kind::Judge, "fair", 2),
            (Kind::Ladder, "usual", 2),
            (Kind::Rule, "first", 3),
            (Kind::Rollout, "next", 1),
            (Kind::Guarantee, "never_small", 1),
            (Kind::Model, "openai/a-1", 2),
            (Kind::Model, "openai/a-2", 2),
        ] {
            let found: Vec<&Mention> = symbols.all(kind, name).collect();
            assert_eq!(found.len(), times, "{kind:?} {name}: {found:?}");
            for one in &found {
                assert_eq!(&text[one.span.lo as usize..one.span.hi as usize], name);
                assert_eq!(symbols.at(one.span.file, one.span.lo), Some(*one));
                assert_eq!(symbols.at(one.span.file, one.span.hi), Some(*one));
            }
            assert!(symbols.declaration(kind, name).is_some_and(|one| one.declares.is_some()), "{name} is declared");
        }
    }

    #[test]
    fn a_place_without_a_name_has_none() {
        let (symbols, text) = symbols();
        let file = FileId(0);
        assert_eq!(symbols.at(file, 0), None);
        assert_eq!(symbols.at(file, text.find("[eu-west]").unwrap() as u32), None);
        assert_eq!(symbols.at(file, text.find("stakes").unwrap() as u32), None);
    }
}
