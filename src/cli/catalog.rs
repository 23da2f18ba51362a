//! `wayside catalog`: what is known about models.
//!
//! In: the built-in catalog, an overlay, a day. Out: facts, ends, verdicts, a rollout to a successor. Must not know: policies.

mod replace;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::screen::Format;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;

use super::{CLEAN, FINDINGS, screen};
use crate::catalog::{Catalog, Entry, Kind, Life, Overlay, Resolved, Status, fields};
use crate::names::{self, ModelRef};
use crate::policy::ast::Model;
use crate::policy::check::models::judge;
use crate::policy::render::json::{Document, Head};
use crate::policy::source::{FileId, Span};
use crate::units::Millis;

const EXAMPLES: &str = "\
Examples:
  wayside catalog show                             the providers it knows
  wayside catalog show openai                      its snapshots in service
  wayside catalog show gpt-5.4                     what an alias stands for, and its facts
  wayside catalog retiring --within 30d            what ends soon
  wayside catalog verify openai/gpt-5.4            whether an id is pinned; exit code 1 if not
  wayside catalog replace openai/gpt-5-2025-08-07  a rollout to its successor
  wayside catalog diff catalog.yaml                what an overlay changes";

/// Show what is known about models: pins, prices, windows, last days.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
    /// Facts of this deployment, laid over the built-in catalog [default: catalog.yaml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// Judge as of this day [default: today]
    #[arg(long, global = true, value_name = "DATE")]
    today: Option<Date>,
    /// How to print
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Providers, the snapshots of one, or the facts of one model
    Show {
        /// A provider, `provider/id`, or what a client would send
        model: Option<String>,
    },
    /// Snapshots that end soon, the next one first
    Retiring {
        /// How far to look ahead, like 60d
        #[arg(long, value_name = "DURATION", default_value = "60d")]
        within: Millis,
    },
    /// Whether ids are pinned and in service; exit code 1 if one is not
    Verify {
        /// `provider/id`, exactly as a policy would write it
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// A rollout from a snapshot to its successor, to paste into a policy
    Replace {
        /// `provider/id`
        model: String,
        /// The successor, instead of the one the catalog suggests
        #[arg(long, value_name = "MODEL")]
        with: Option<String>,
    },
    /// What an overlay changes, field by field
    Diff {
        /// A `catalog.yaml`
        file: PathBuf,
    },
}

/// The catalog, the day and the format that every verb works with.
struct Desk {
    catalog: Catalog,
    today: Date,
    format: Format,
}

/// Runs one of its verbs.
pub fn run(args: &Args) -> ExitCode {
    let today = args.today.unwrap_or_else(|| TimeZone::UTC.to_datetime(Timestamp::now()).date());
    let catalog = match &args.verb {
        // The file is what the built-in catalog is compared with.
        Verb::Diff { .. } => Ok(Catalog::embedded()),
        _ => overlaid(args.catalog.as_deref()),
    };
    let desk = match catalog {
        Ok(catalog) => Desk { catalog, today, format: args.format },
        Err(reason) => return screen::broken(&reason),
    };
    let answer = match &args.verb {
        Verb::Show { model: None } => Ok(desk.providers()),
        Verb::Show { model: Some(model) } => desk.show(model),
        Verb::Retiring { within } => Ok(desk.retiring(*within)),
        Verb::Verify { ids } => desk.verify(ids),
        Verb::Replace { model, with } => desk.replace(model, with.as_deref()),
        Verb::Diff { file } => desk.diff(file),
    };
    match answer {
        Ok((text, code)) => screen::show(&text, code),
        Err(reason) => screen::broken(&reason),
    }
}

/// Text and exit code, or why the job could not be done.
type Answer = Result<(String, u8), String>;

/// The overlay that lies in the working directory, if no other is named.
const OVERLAY: &str = "catalog.yaml";

fn overlaid(file: Option<&Path>) -> Result<Catalog, String> {
    let beside = Path::new(OVERLAY);
    match file.or_else(|| beside.exists().then_some(beside)) {
        None => Ok(Catalog::embedded()),
        Some(file) => lay_over(Catalog::embedded(), file),
    }
}

fn lay_over(catalog: Catalog, file: &Path) -> Result<Catalog, String> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let overlay = Overlay::parse(&text).map_err(|error| format!("{shown}: {error}"))?;
    catalog.with_overlay(&overlay).map_err(|error| format!("{shown}: {error}"))
}

impl Desk {
    fn json(&self, command: &str, key: &str, value: serde_json::Value) -> String {
        let as_of = self.catalog.as_of().to_string();
        let page = Document::new(Head::of(command), json!({"as_of": as_of, key: value}));
        // Plain data is always text.
        page.pretty().unwrap_or_default()
    }

    fn providers(&self) -> (String, u8) {
        let rows = self.catalog.providers().into_iter().map(|provider| {
            let known = self.catalog.of_provider(provider);
            let (all, serving) =
                known.fold((0, 0), |(all, serving), entry| (all + 1, serving + usize::from(self.serves(entry))));
            (provider, all, serving)
        });
        if self.format == Format::Json {
            let rows =
                rows.map(|(provider, all, serving)| json!({"provider": provider, "ids": all, "serving": serving}));
            return (self.json("catalog show", "providers", rows.collect()), CLEAN);
        }
        let mut text = format!("Facts of {}. Snapshots in service, of all ids known:\n\n", self.catalog.as_of());
        for (provider, all, serving) in rows {
            let _ = writeln!(text, "  {provider:<12} {serving:>4} of {all}");
        }
        text.push_str("\nOne provider: wayside catalog show openai\n");
        (text, CLEAN)
    }

    /// One fixed model that answers today.
    fn serves(&self, entry: &Entry) -> bool {
        entry.kind == Kind::Snapshot && entry.life(self.today) == Life::Serving && !entry.unverified
    }

    fn show(&self, model: &str) -> Answer {
        if self.catalog.of_provider(model).next().is_some() {
            return Ok(self.snapshots(model));
        }
        let written = model.split_once('/').and_then(|(provider, id)| self.catalog.facts(provider, id));
        let entry = match (written, self.catalog.resolve(model)) {
            (Some(entry), _) => entry,
            (None, Resolved::Known(entry)) => std::borrow::Cow::Borrowed(entry),
            (None, Resolved::Unknown) => return Err(self.unknown(model)),
        };
        if self.format == Format::Json {
            return Ok((self.json("catalog show", "model", fields::json(&entry)), CLEAN));
        }
        let mut text = format!("{}\n", entry.name());
        if entry.name() != model {
            text = format!("{model} stands for {}\n", entry.name());
        }
        for (field, value) in fields::of(&entry) {
            let _ = writeln!(text, "  {field:<20} {value}");
        }
        if entry.kind == Kind::Alias
            && let Some(found) = judge(&self.catalog, &literal(&entry.name()), self.today, true)
        {
            let _ = writeln!(text, "\n{}", found.help.unwrap_or_default());
        }
        Ok((text, CLEAN))
    }

    fn unknown(&self, model: &str) -> String {
        if let Some((_, _)) = model.split_once('/') {
            let found = judge(&self.catalog, &literal(model), self.today, true);
            if let Some(found) = found {
                return format!("{}; {}", found.message, found.help.unwrap_or_default());
            }
        }
        let names = self.catalog.entries().flat_map(|entry| [&*entry.provider, &*entry.id]);
        match names::nearest(model, names).first() {
            Some(near) => format!("there is no provider and no model `{model}`; try `wayside catalog show {near}`"),
            None => format!("there is no provider and no model `{model}`; list the providers: `wayside catalog show`"),
        }
    }

    fn snapshots(&self, provider: &str) -> (String, u8) {
        let mut serving: Vec<&Entry> = self.catalog.of_provider(provider).filter(|entry| self.serves(entry)).collect();
        serving.sort_by(|a, b| a.written_id().cmp(&b.written_id()));
        if self.format == Format::Json {
            let rows = serving.iter().map(|entry| fields::json(entry)).collect();
            return (self.json("catalog show", "models", rows), CLEAN);
        }
        let width = serving.iter().map(|entry| entry.written_id().len()).max().unwrap_or(0);
        let mut text =
            format!("{:<width$}  {:<11} {:>7}  {:>16}  ends\n", "snapshot", "tier", "prompt", "$ per M in/out");
        for entry in serving {
            let price = entry.price.as_ref().map_or("-".into(), |price| format!("{}/{}", price.input, price.output));
            let window = entry.max_input.map_or("-".into(), fields::tokens);
            let ends = entry.retires_on.map_or("-".into(), |day| day.to_string());
            let tier = entry.tier.as_deref().unwrap_or("-");
            let consent =
                if entry.pin == crate::catalog::Pin::UndatedUnconfirmed { "  needs accept_undated" } else { "" };
            let line = format!("{:<width$}  {tier:<11} {window:>7}  {price:>16}  {ends}{consent}", entry.written_id());
            let _ = writeln!(text, "{}", line.trim_end());
        }
        (text, CLEAN)
    }

    fn retiring(&self, within: Millis) -> (String, u8) {
        let most = i32::try_from(within.0 / Millis::secs(86_400).0).unwrap_or(i32::MAX);
        let ends =
            |entry: &&Entry| entry.kind == Kind::Snapshot && entry.status != Status::NeverServed && self.serves(entry);
        let mut rows: Vec<(i32, &Entry)> = self
            .catalog
            .entries()
            .filter(ends)
            .filter_map(|entry| Some((entry.days_left(self.today)?, entry)))
            .collect();
        rows.retain(|(days, _)| *days <= most);
        rows.sort_by_key(|(days, entry)| (*days, entry.name()));
        if self.format == Format::Json {
            let rows = rows.iter().map(|(days, entry)| {
                let end = [entry.retires_on, entry.rerouted_on].into_iter().flatten().min();
                json!({"model": entry.name(), "days": days, "on": end.map(|day| day.to_string()),
                       "answers_then_as": entry.rerouted_to, "replacement": entry.replacement})
            });
            return (self.json("catalog retiring", "models", rows.collect()), CLEAN);
        }
        if rows.is_empty() {
            return (format!("Nothing ends within {most} days.\n"), CLEAN);
        }
        let width = rows.iter().map(|(_, entry)| entry.name().len()).max().unwrap_or(0);
        let mut text = String::new();
        for (days, entry) in rows {
            let end = [entry.retires_on, entry.rerouted_on].into_iter().flatten().min();
            let then = match (&entry.rerouted_to, &entry.replacement) {
                (Some(to), _) => format!("answers as {to} from then on"),
                (None, Some(replacement)) => format!("successor {replacement}"),
                (None, None) => String::new(),
            };
            let day = end.map_or(String::new(), |day| day.to_string());
            let _ = writeln!(text, "{}", format!("{days:>4} days  {day}  {:<width$}  {then}", entry.name()).trim_end());
        }
        (text, CLEAN)
    }

    fn verify(&self, ids: &[String]) -> Answer {
        let mut text = String::new();
        let mut rows = Vec::new();
        let mut code = CLEAN;
        for id in ids {
            ModelRef::parse(id).ok_or_else(|| format!("`{id}` is not a model; write `provider/id`"))?;
            let found = judge(&self.catalog, &literal(id), self.today, false);
            if found.is_some() {
                code = FINDINGS;
            }
            match &found {
                None => {
                    let (provider, id) = id.split_once('/').unwrap_or_default();
                    let pin = self.catalog.classify(provider, id).map_or("pinned", |(_, pin)| fields::pin(pin));
                    let _ = writeln!(text, "ok         {provider}/{id}: {pin}");
                }
                Some(found) => {
                    let _ = writeln!(text, "{:<10} {}", found.code.code, found.message);
                    if let Some(help) = &found.help {
                        let _ = writeln!(text, "           {help}");
                    }
                }
            }
            rows.push(json!({"model": id, "ok": found.is_none(), "code": found.as_ref().map(|it| it.code.code),
                "message": found.as_ref().map(|it| it.message.as_str()), "help": found.and_then(|it| it.help)}));
        }
        Ok((if self.format == Format::Json { self.json("catalog verify", "models", rows.into()) } else { text }, code))
    }

    fn replace(&self, model: &str, with: Option<&str>) -> Answer {
        let rollout = replace::rollout(&self.catalog, model, with, self.today).map_err(|problem| match problem {
            replace::Problem::Unknown(name) => self.unknown(&name),
            replace::Problem::Other(text) => text,
        })?;
        if self.format == Format::Json {
            let value =
                json!({"replace": rollout.old, "with": rollout.new, "facts": rollout.facts, "text": rollout.text});
            return Ok((self.json("catalog replace", "rollout", value), CLEAN));
        }
        Ok((rollout.text, CLEAN))
    }

    fn diff(&self, file: &Path) -> Answer {
        let new = lay_over(self.catalog.clone(), file)?;
        let mut text = String::new();
        let mut rows = Vec::new();
        for entry in new.entries() {
            let old = self.catalog.get(&entry.provider, &entry.written_id());
            let changes = fields::changes(old, entry);
            if changes.is_empty() {
                continue;
            }
            let _ = writeln!(text, "{}{}", entry.name(), if old.is_none() { " (new)" } else { "" });
            for (field, before, after) in &changes {
                let before = if before.is_empty() { "not stated" } else { before };
                let _ = writeln!(text, "  {field:<20} {before} -> {after}");
            }
            let fields = changes.iter().map(|(field, old, new)| json!({"field": field, "old": old, "new": new}));
            rows.push(json!({"model": entry.name(), "new": old.is_none(), "fields": fields.collect::<Vec<_>>()}));
        }
        if self.format == Format::Json {
            return Ok((self.json("catalog diff", "models", rows.into()), CLEAN));
        }
        if text.is_empty() {
            text = format!("{} states nothing that the built-in catalog does not.\n", file.display());
        }
        Ok((text, CLEAN))
    }
}

/// A model as a policy would write it, at no particular place.
fn literal(name: &str) -> Model {
    let (provider, id) = name.split_once('/').unwrap_or((name, ""));
    let span = Span { file: FileId(0), lo: 0, hi: 0 };
    Model { span, provider: provider.to_owned(), id: id.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::check::models::RETIRE_WINDOW;

    fn desk(format: Format) -> Desk {
        Desk { catalog: Catalog::embedded(), today: jiff::civil::date(2026, 11, 23), format }
    }

    #[test]
    fn the_default_look_ahead_is_the_one_check_warns_at() {
        assert_eq!("60d".parse::<Millis>(), Ok(Millis::secs(86_400 * RETIRE_WINDOW as u64)));
    }

    #[test]
    fn show_finds_providers_models_aliases_and_what_was_meant() {
        let desk = desk(Format::Human);
        assert!(desk.show("mistral").unwrap().0.contains("mistral-medium-2604"));
        assert!(desk.show("openai/gpt-5.4").unwrap().0.contains("write `openai/gpt-5.4-2026-03-05`"));
        assert!(desk.show("gpt-5.4").unwrap().0.starts_with("gpt-5.4 stands for openai/gpt-5.4-2026-03-05"));
        assert!(desk.show("mistrl").unwrap_err().contains("wayside catalog show mistral"));
        assert!(desk.show("openai/gpt-5.4-mni").unwrap_err().contains("openai/gpt-5.4-mini-2026-03-17"));
        assert!(desk.providers().0.contains("anthropic"));
    }

    #[test]
    fn retiring_lists_the_next_end_first() {
        let (text, code) = desk(Format::Human).retiring(Millis::secs(86_400 * 30));
        let first = text.lines().next().unwrap();
        assert_eq!(code, CLEAN);
        assert!(first.contains("7 days  2026-11-30  anthropic/claude-sonnet-4-5-20250929"), "{first}");
        assert!(
            text.contains("google/gemini-2.5-flash") && text.contains("answers as gemini-3.5-flash-lite"),
            "{text}"
        );
        assert!(!text.contains("gpt-4.1"), "52 days are more than 30: {text}");
    }

    #[test]
    fn verify_fails_when_one_id_is_not_pinned() {
        let desk = desk(Format::Human);
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            desk.verify(&ids(&["openai/gpt-5.4-2026-03-05"])).unwrap(),
            ("ok         openai/gpt-5.4-2026-03-05: dated\n".into(), CLEAN)
        );
        let (text, code) = desk.verify(&ids(&["anthropic/claude-opus-5", "openai/gpt-5.4"])).unwrap();
        assert_eq!(code, FINDINGS);
        assert!(text.contains("R201") && text.contains("write `openai/gpt-5.4-2026-03-05`"), "{text}");
        assert!(desk.verify(&ids(&["gpt-5.4"])).unwrap_err().contains("provider/id"));
    }

    #[test]
    fn json_is_one_document() {
        let desk = desk(Format::Json);
        let ids = ["openai/gpt-5.4".to_owned()];
        for text in [
            desk.providers().0,
            desk.show("openai").unwrap().0,
            desk.verify(&ids).unwrap().0,
            desk.retiring(Millis::secs(1)).0,
        ] {
            let page: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(page["schema"], 1);
        }
    }
}
