//! What is said about a model literal, before and beside any policy.

use jiff::civil::{Date, date};
use wayside::catalog::{Catalog, Overlay};
use wayside::policy::ast::Model;
use wayside::policy::check::models::judge;
use wayside::policy::check::{Settings, check};
use wayside::policy::diagnostic::Level;
use wayside::policy::resolve::Files;
use wayside::policy::source::{FileId, Span};

const TODAY: Date = date(2026, 11, 23);

fn literal(name: &str) -> Model {
    let (provider, id) = name.split_once('/').unwrap();
    let span = Span { file: FileId(0), lo: 10, hi: 10 + name.len() as u32 };
    Model { span, provider: provider.to_owned(), id: id.to_owned() }
}

/// Code, title and help of the finding, and what its fix writes.
fn said(catalog: &Catalog, name: &str, accepted: bool) -> Option<(&'static str, Level, String, String, Vec<String>)> {
    let found = judge(catalog, &literal(name), TODAY, accepted)?;
    let texts = found.fixes.iter().flat_map(|fix| fix.edits.iter().map(|edit| edit.text.clone())).collect();
    // Only what an alias stands for today is no choice of a model.
    let alias = matches!(found.code.code, "R201" | "R202");
    assert!(found.fixes.iter().all(|fix| !fix.safe || alias), "{name}: a fix that changes routing is not safe");
    Some((found.code.code, found.level, found.message, found.help.unwrap(), texts))
}

#[test]
fn a_pinned_snapshot_in_service_is_accepted() {
    let catalog = Catalog::embedded();
    for name in [
        "openai/gpt-5.4-2026-03-05",
        "anthropic/claude-sonnet-5",
        "google/gemini-3.8-flash",
        "bedrock/eu.anthropic.claude-sonnet-5-5",
        "openai/ft:gpt-4o-2024-08-06:acme::a1b2",
    ] {
        assert_eq!(said(&catalog, name, false), None, "{name}");
    }
    assert_eq!(said(&catalog, "openai/gpt-6-sol", true), None);
}

#[test]
fn every_other_literal_says_what_it_is_and_what_to_write() {
    let hosted = "schema: 1\nmodels:\n  - {provider: vllm, id: llama, revision: sha-1}\n";
    let catalog = Catalog::embedded().with_overlay(&Overlay::parse(hosted).unwrap()).unwrap();
    for (name, code, title, help, fix) in [
        (
            "openai/gpt-5.4",
            "R201",
            "openai/gpt-5.4 is an alias, not a snapshot",
            "write `openai/gpt-5.4-2026-03-05`",
            Some("openai/gpt-5.4-2026-03-05"),
        ),
        (
            "google/gemini-flash-latest",
            "R202",
            "google/gemini-flash-latest moves by name",
            "write `google/gemini-3.8-flash`",
            Some("google/gemini-3.8-flash"),
        ),
        (
            "openai/gpt-5.6",
            "R201",
            "openai/gpt-5.6 is an alias, not a snapshot",
            "write `openai/gpt-5.6-sol` and add `accept_undated [openai/gpt-5.6-sol]` to the policy header",
            Some("openai/gpt-5.6-sol"),
        ),
        ("mistral/mistral-large-2411", "R204", "mistral/mistral-large-2411 ended on 2026-05-31", "", None),
        (
            "google/gemini-3.7-flash",
            "R218",
            "google/gemini-3.7-flash answers as gemini-3.8-flash since 2026-10-08",
            "write `google/gemini-3.8-flash`",
            Some("google/gemini-3.8-flash"),
        ),
        (
            "openai/gpt-6-sol",
            "R217",
            "openai/gpt-6-sol has no dated id, and nobody promises that it stays",
            "add `accept_undated [openai/gpt-6-sol]` to the policy header",
            None,
        ),
        (
            "openai/gpt-5.4-mni",
            "R205",
            "openai/gpt-5.4-mni is in no catalog",
            "write `openai/gpt-5.4-mini-2026-03-17`",
            Some("openai/gpt-5.4-mini-2026-03-17"),
        ),
        (
            "openai/gpt-7-2027-01-31",
            "R205",
            "openai/gpt-7-2027-01-31 is in no catalog",
            "check the spelling, or state its facts in `catalog.yaml`",
            None,
        ),
        (
            "opnai/gpt-5.4-2026-03-05",
            "R106",
            "there is no provider `opnai`",
            "write `openai/gpt-5.4-2026-03-05`",
            Some("openai"),
        ),
        ("vllm/llama", "R219", "vllm/llama has no revision", "write `vllm/llama@sha-1`", Some("vllm/llama@sha-1")),
        (
            "vllm/llama@main",
            "R219",
            "vllm/llama@main has a revision that moves",
            "write `vllm/llama@sha-1`",
            Some("vllm/llama@sha-1"),
        ),
        (
            "vllm/other",
            "R219",
            "vllm/other has no revision",
            "write the commit it was built from, like `vllm/other@sha-9f31c2a`",
            None,
        ),
    ] {
        let (said_code, _, said_title, said_help, texts) =
            said(&catalog, name, false).unwrap_or_else(|| panic!("{name} is accepted"));
        assert_eq!((said_code, said_title.as_str()), (code, title), "{name}");
        if !help.is_empty() {
            assert_eq!(said_help, help, "{name}");
        }
        if help.is_empty() {
            assert!(said_help.starts_with("write `mistral/"), "{name}: {said_help}");
        } else {
            assert_eq!(texts.first().map(String::as_str), fix, "{name}");
        }
    }
    let level = |name: &str| said(&catalog, name, false).unwrap().1;
    assert_eq!(level("openai/gpt-7-2027-01-31"), Level::Warning);
    assert_eq!(level("openai/gpt-5.4-mni"), Level::Error);
}

#[test]
fn a_dated_azure_version_is_named_where_the_maker_gives_no_date() {
    let found = judge(&Catalog::embedded(), &literal("openai/gpt-6-sol"), TODAY, false).unwrap();
    assert!(
        found.notes.iter().any(|note| note == "Azure dates the same model: azure/gpt-6-sol-2026-09-22"),
        "{:?}",
        found.notes
    );
}

/// One policy in memory.
struct Text(String);

impl Files for Text {
    fn read(&self, _: &str) -> Result<String, String> {
        Ok(self.0.clone())
    }
    fn glob(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

#[test]
fn consent_is_written_into_every_form_of_header() {
    let rest = "tier mid {\n  openai/gpt-6-sol\n  anthropic/claude-sonnet-5\n}\ntemplate sorry \"Later.\"\n\
                otherwise {\n  tier mid\n  degrade template sorry\n}\n";
    let findings =
        |text: &str| check("a.route", &Text(text.to_owned()), &Catalog::embedded(), &Settings::on(TODAY)).findings;
    for header in [
        "policy desk { }",
        "policy desk {}",
        "policy desk { owner \"us\" }",
        "policy desk {\n  owner \"us\"\n}",
        "policy desk {  # ours\n  owner \"us\"\n}",
        "policy desk { accept_undated [] }",
        "policy desk { accept_undated [openai/gpt-6-luna], owner \"us\" }",
        "policy desk { accept_undated [\n    openai/gpt-6-luna\n  ]\n}",
    ] {
        let text = format!("route 1\n{header}\n{rest}");
        let found = findings(&text);
        let undated = found.iter().find(|one| one.code.code == "R217").unwrap_or_else(|| panic!("{header}: {found:?}"));
        let edit = &undated.fixes.first().unwrap_or_else(|| panic!("{header}: no fix")).edits[0];
        let mut after = text.clone();
        after.replace_range(edit.span.lo as usize..edit.span.hi as usize, &edit.text);
        assert_eq!(findings(&after), [], "{after}");
    }
    let found = findings(&format!("route 1\n{rest}"));
    assert!(found.iter().any(|one| one.code.code == "R217" && one.fixes.is_empty()), "without a header, help alone");
}
