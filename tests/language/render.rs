//! Findings in every format, beside what is expected of them in `tests/corpus/render`.
//!
//! `WAYSIDE_BLESS=1 cargo test --test language render` writes the expectations anew; read the difference.

use std::path::Path;

use wayside::policy::diagnostic::{Code, Diagnostic, R203, R303, R308, R319, R401, Witness};
use wayside::policy::render;
use wayside::policy::source::{Sources, Span};
use wayside::policy::{suppress, syntax};

const POLICY: &str = r#"route 1

tier mid {
  anthropic/claude-sonnet-4-5-20250929
  openai/gpt-5-2025-08-07
}

rule chat_fast {
  when channel is chat
  tier mid
}

rule slow_sonnet {
  when channel is chat and sonnet_slow
  tier mid
  fallback openai/gpt-5-2025-08-07  # größer
}
"#;

fn find(sources: &Sources, what: &str, nth: usize) -> Span {
    let (file, source) = sources.files().next().unwrap();
    let at = source.text.match_indices(what).nth(nth).unwrap().0 as u32;
    Span { file, lo: at, hi: at + what.len() as u32 }
}

/// The three messages section 7.2 shows, and one without a page, help or label.
fn sample() -> (Sources, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    sources.add("support_desk.route", POLICY);
    let at = |what, nth| find(&sources, what, nth);
    let words =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let findings = vec![
        Diagnostic::new(&R401, at("slow_sonnet", 0), "rule `slow_sonnet` can never match")
            .here("unreachable")
            .label(at("chat_fast", 0), "takes every request `slow_sonnet` wants")
            .witness(Witness {
                request: words(&[("plan", "pro"), ("channel", "chat"), ("prompt_tokens", "2k")]),
                readings: words(&[("sonnet_slow", "on")]),
            })
            .note("it gets openai/gpt-5.4-mini-2026-03-17 (small) from `chat_fast` instead of openai/gpt-5.4-2026-03-05 (mid)")
            .help("move `slow_sonnet` above `chat_fast`, or add `and not sonnet_slow` to line 9"),
        Diagnostic::new(&R319, at("fallback", 0), "`fallback` does not say in which direction")
            .here("openai/gpt-5-2025-08-07 is in tier `mid`, the tier of this rule")
            .help("write `fallback peer openai/gpt-5-2025-08-07`")
            .fix(true, "write `peer`", at("fallback", 0), "fallback peer"),
        Diagnostic::new(
            &R203,
            at("anthropic/claude-sonnet-4-5-20250929", 0),
            "anthropic/claude-sonnet-4-5-20250929 retires in 8 days (2026-11-30)",
        )
        .here("first choice of `otherwise` (17)")
        .note("bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0 is the same model and stays until 2027-04-08")
        .help("start a rollout: `wayside catalog replace anthropic/claude-sonnet-4-5-20250929`"),
        Diagnostic::new(&R308, at("tier mid {\n  anthropic", 0), "every hop is one provider"),
    ];
    (sources, findings)
}

fn expect(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/render").join(name);
    if std::env::var_os("WAYSIDE_BLESS").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    assert_eq!(
        actual,
        std::fs::read_to_string(&path).unwrap_or_default(),
        "{name}: run with WAYSIDE_BLESS=1 and review"
    );
}

fn has_page(code: &Code) -> bool {
    code.code == "R401"
}

#[test]
fn people_see_the_source() {
    let (sources, findings) = sample();
    let mut out = String::new();
    render::human::human(&findings, &sources, false, &has_page, &mut out).unwrap();
    expect("human.txt", &out);
    let mut colored = String::new();
    render::human::human(&findings, &sources, true, &has_page, &mut colored).unwrap();
    assert!(colored.contains("\u{1b}["));
    assert!(!out.contains('\u{1b}'));
}

#[test]
fn one_line_is_enough_for_editors() {
    let (sources, findings) = sample();
    let mut out = String::new();
    render::short::short(&findings, &sources, &mut out).unwrap();
    expect("short.txt", &out);
}

#[test]
fn plain_text_has_no_drawings() {
    let (sources, findings) = sample();
    let mut out = String::new();
    render::plain::plain(&findings, &sources, &has_page, &mut out).unwrap();
    expect("plain.txt", &out);
}

#[test]
fn documents_have_the_shape_of_section_8_2() {
    let (sources, findings) = sample();
    let head = render::json::Head {
        command: "check".into(),
        policy: Some("support_desk".into()),
        today: Some("2026-11-22".into()),
        ..Default::default()
    };
    let document = render::json::document(head, &findings, 1, &sources);
    let text = serde_json::to_string_pretty(&document).unwrap();
    expect("check.json", &text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[test]
fn a_fingerprint_survives_a_move_and_not_an_edit() {
    let print = |text: &str| {
        let mut sources = Sources::default();
        sources.add("a.route", text);
        let at = find(&sources, "fallback", 0);
        render::fingerprints::fingerprints(&[Diagnostic::new(&R319, at, "x")], &sources).remove(0)
    };
    let one = print("rule a {\n  fallback a/b, timeout 1s\n}\n");
    assert_eq!(one, print("# moved\n\nrule a {\n  tier mid\n\n    fallback a/b,timeout 1s  # note\n}\n"));
    assert_ne!(one, print("rule b {\n  fallback a/b, timeout 1s\n}\n"));
    assert_ne!(one, print("rule a {\n  fallback a/b, timeout 2s\n}\n"));
}

#[test]
fn the_summary_is_a_sentence() {
    let (_, findings) = sample();
    assert_eq!(render::Summary::of(&findings, 2).sentence(), "2 errors, 2 warnings (2 suppressed)");
    assert_eq!(render::Summary::of(&[], 0).sentence(), "no findings");
}

/// Pretends that every `fallback` is a finding of this code, and lists what stays.
fn kept(text: &str, code: &'static Code, allowed: &[&str]) -> Vec<String> {
    let mut sources = Sources::default();
    let id = sources.add("a.route", text);
    let mut findings = vec![];
    syntax::parse(id, text, &mut findings);
    for (at, word) in text.match_indices("  fallback") {
        let span = Span { file: id, lo: at as u32 + 2, hi: (at + word.len()) as u32 };
        findings.push(Diagnostic::new(code, span, "found"));
    }
    let allowed: Vec<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
    let (kept, _) = suppress::apply(findings, &sources, &allowed);
    kept.iter()
        .map(|finding| format!("{} {}", finding.code.code, sources.file(id).place(finding.span.lo).line))
        .collect()
}

#[test]
fn an_allow_covers_the_statement_below_it_and_no_other() {
    let text = "route 1\nrule a {\n  tier mid\n  # allow R303: legacy\n  fallback a/b\n  fallback a/c\n}\n";
    assert_eq!(kept(text, &R303, &[]), ["R303 6"]);
}

#[test]
fn an_allow_covers_a_whole_declaration() {
    let text = "route 1\n# allow same-provider-fallback: legacy\nrule a {\n  tier mid\n  fallback a/b\n  fallback a/c\n}\nrule b {\n  fallback a/b\n}\n";
    assert_eq!(kept(text, &R303, &[]), ["R303 9"]);
}

#[test]
fn an_allow_that_suppresses_nothing_is_reported() {
    assert_eq!(kept("route 1\n# allow R303: legacy\ntier a {\n}\n", &R303, &[]), ["R902 2"]);
    let behind = "route 1\nrule a {\n  fallback a/b  # allow R303: legacy\n}\n";
    assert_eq!(kept(behind, &R303, &[]), ["R303 3", "R902 3"]);
}

#[test]
fn an_allow_needs_a_reason_and_a_known_name() {
    assert_eq!(kept("route 1\n# allow R303\nrule a {\n  fallback a/b\n}\n", &R303, &[]), ["R903 2"]);
    assert_eq!(
        kept("route 1\n# allow same-provider-falback: x\nrule a {\n  fallback a/b\n}\n", &R303, &[]),
        ["R904 2", "R303 4"]
    );
    assert_eq!(kept("route 1\n# allow both of them, for now\ntier a {\n}\n", &R303, &[]), [] as [&str; 0]);
}

#[test]
fn promises_cannot_be_allowed_away() {
    use wayside::policy::diagnostic::R310;
    let text = "route 1\nrule a {\n  # allow high-stakes-no-person: later\n  fallback a/b\n}\n";
    assert_eq!(kept(text, &R310, &[]), ["R310 4", "R902 3"]);
    assert_eq!(kept(text, &R310, &["R310"]), ["R310 4", "R902 3"]);
}

#[test]
fn the_project_may_allow_without_a_comment() {
    let text = "route 1\nrule a {\n  fallback a/b\n}\n";
    assert_eq!(kept(text, &R303, &["same-provider-fallback"]), [] as [&str; 0]);
}
