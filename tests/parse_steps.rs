//! Reading 4 KiB takes a bounded number of parser steps, whatever the bytes: time without a clock.
//!
//! The dearest of these texts, lines of one letter in a rule, takes `wayside check` 24 ms of processor time in a release build, and it
//! reads the file twice. The limit is one for the whole process, which is why this is a file of its own; a text that needs more
//! makes the parser give up, and that is a finding nobody else makes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

use std::num::NonZeroUsize;

use wayside::policy::source::Sources;
use wayside::policy::syntax;

/// Steps for [`BYTES`].
const STEPS: usize = 600_000;
const BYTES: usize = 4096;

fn gives_up(text: &str) -> bool {
    let mut sources = Sources::default();
    let id = sources.add("x.route", text);
    let mut findings = vec![];
    syntax::parse(id, text, &mut findings);
    findings.iter().any(|finding| finding.here.contains("a defect of wayside"))
}

/// A text of [`BYTES`] that begins with `head` and repeats `part`.
fn filled(head: &str, part: &str) -> String {
    let mut text = head.to_owned();
    while text.len() + part.len() <= BYTES {
        text.push_str(part);
    }
    text
}

#[test]
fn four_kilobytes_take_a_bounded_number_of_steps() {
    let heads = [
        "",
        "rule a {\n",
        "rule a { when ",
        "tier t {\n",
        "test \"t\" {\n",
        "test \"t\" { table a -> b {\n",
        "group g = [",
        "rule a { snapshot a/b ",
    ];
    let parts = [
        "(",
        "[",
        "{",
        ")",
        "]",
        "}",
        "\"",
        "#",
        "\n",
        ",",
        "a",
        "a ",
        "a\n",
        "a, ",
        "not ",
        "(not ",
        "a is b and ",
        "a is b or (",
        "1",
        "1 ",
        "1..2 ",
        "22:00 ",
        "2026-11-25 ",
        "$1 ",
        "a/b ",
        "\"x\" ",
        "[a, b] ",
        "[[",
        "x [ ",
        "{ } ",
        "k { ",
        "} { ",
        "= ",
        "== ",
        "-> ",
        "* ",
        "< 4k ",
        "when a\n",
        "snapshot a/b, timeout 5s\n",
        "fallback peer a/b, retry 1 on [network], ",
        "on ",
        "in ",
        "p95 of ",
        "budget a is ",
        "a in [b, c], ",
        "given a is on\n",
        "expect rule a\n",
        "a -> b\n",
        "a, b -> [c]\n",
        "é",
        "\u{200b}",
        "\\",
        "rule a {\n",
        "a.b.c.",
        "a-",
        "a->",
        "0.",
        "\r\n",
        "\t",
        "!",
        "&&",
        ";",
        "tier t {\na/b\n}\n",
    ];
    let texts = || heads.iter().flat_map(|head| parts.iter().map(move |part| filled(head, part)));
    pest::set_call_limit(NonZeroUsize::new(STEPS));
    let over: Vec<String> = texts().filter(|text| gives_up(text)).map(|text| text.chars().take(60).collect()).collect();
    assert!(over.is_empty(), "{} texts: {over:?}", over.len());
    // The bound means something: with a part of it some of these give up.
    pest::set_call_limit(NonZeroUsize::new(STEPS / 3));
    assert!(texts().any(|text| gives_up(&text)));
}
