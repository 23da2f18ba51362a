//! What holds for every text: parsing never panics, stays bounded, and points inside the text.

use std::collections::HashSet;
use std::path::Path;

use proptest::prelude::*;
use wayside::policy::ast::File;
use wayside::policy::diagnostic::Diagnostic;
use wayside::policy::lexer::{self, MAX_FILE_BYTES, MAX_NESTING};
use wayside::policy::source::Sources;
use wayside::policy::syntax::{self, MAX_SYNTAX_FINDINGS};

fn parse(text: &str) -> (File, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let id = sources.add("x.route", text);
    let mut findings = vec![];
    let tree = syntax::parse(id, text, &mut findings);
    (tree, findings)
}

fn codes(text: &str) -> Vec<&'static str> {
    parse(text).1.iter().map(|finding| finding.code.code).collect()
}

fn is_sound(text: &str) {
    let (tree, findings) = parse(text);
    let inside =
        |lo: u32, hi: u32| lo <= hi && hi as usize <= text.len() && text.get(lo as usize..hi as usize).is_some();
    for finding in &findings {
        assert!(inside(finding.span.lo, finding.span.hi), "{finding:?}");
        assert!(!finding.here.contains("defect") && !finding.message.contains("defect"), "{finding:?} in {text:?}");
        assert!(finding.labels.iter().all(|label| inside(label.span.lo, label.span.hi)), "{finding:?}");
        assert!(
            finding.fixes.iter().flat_map(|fix| &fix.edits).all(|edit| inside(edit.span.lo, edit.span.hi)),
            "{finding:?}"
        );
    }
    assert!(findings.len() <= MAX_SYNTAX_FINDINGS);
    assert!(tree.items.iter().all(|item| inside(item.span.lo, item.span.hi)));
}

/// Words and marks of the language, so that random texts get past the first token.
fn fragment() -> impl Strategy<Value = String> {
    let words = "route 1|rule a {|}|{|\n|\n|\n|, |[|]|(|)|and|or|not|when|plan is free|tier mid|snapshot|fallback peer|openai/gpt-5.4\
        |timeout 5s|retry 1 on [network]|\"text\"|\"open|# note|define x as|test \"t\" {|table a -> b {|x -> y|request { tenant a }\
        |expect rule a|given a is on|guarantee g {|for|never tier|otherwise {|degrade template s|hold|on cut resume|4k..16k|22:00\
        |2026-13-45|99999999999999999999|=|==|!=|&&|;|:|\u{200b}|é|\r\n|\t|property \"p\" {|budget b {|covers|limit $5 per day|halt when\
        |attribute a is one of|tier t {|requires eval|* |-> |.. |in|has|like \"x*\"|p95 of|24:99|20kk|switch|policy p {|\\";
    prop::sample::select(words.split('|').map(str::to_owned).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,300}") {
        is_sound(&text);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        is_sound(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_mixture_of_words_is_read_without_a_panic(parts in prop::collection::vec((fragment(), prop::sample::select(vec!["", " ", "\n", "\n  "])), 0..120)) {
        let text: String = parts.into_iter().flat_map(|(part, blank)| [part, blank.to_owned()]).collect();
        is_sound(&text);
    }

    #[test]
    fn tokens_and_blanks_are_the_whole_text(parts in prop::collection::vec(fragment(), 0..60)) {
        let text = parts.join(" ");
        let mut sources = Sources::default();
        let id = sources.add("x.route", &text);
        let mut at = 0;
        for token in lexer::lex(id, &text, &mut vec![]).unwrap_or_default() {
            prop_assert!(text[at..token.lo as usize].chars().all(|c| c == ' ' || c == '\t'), "{:?}", &text[at..token.lo as usize]);
            prop_assert!(token.lo < token.hi);
            at = token.hi as usize;
        }
        prop_assert!(text[at..].chars().all(|c| c == ' ' || c == '\t'));
    }

    #[test]
    fn one_broken_line_in_a_rule_costs_one_finding(line in "when [a-z ]{1,12}[%@^~;:][a-z]{0,5}") {
        let text = format!("route 1\nrule a {{\n  {line}\n  tier mid\n}}\nrule b {{\n  tier mid\n}}\n");
        let (tree, findings) = parse(&text);
        prop_assert_eq!(findings.len(), 1, "{:?}", findings);
        prop_assert_eq!(tree.items.len(), 3);
    }
}

#[test]
fn hostile_texts_stay_bounded() {
    let texts = [
        "(".repeat(200_000),
        "when ".repeat(50_000),
        "{".repeat(200_000),
        "}".repeat(200_000),
        "[\n".repeat(100_000),
        "not ".repeat(100_000),
        format!("rule a {{ when {} }}", "not ".repeat(100_000)),
        format!("define a as {}x", "(".repeat(100_000)),
        format!("define a as {}x{}", "(not ".repeat(63), ")".repeat(63)),
        "\"".repeat(200_000),
        "a\n".repeat(100_000),
        "rule a {\n".repeat(20_000),
        "a {\n".repeat(20_000),
        "\u{200b}".repeat(100_000),
        "а".repeat(100_000),
        "#".repeat(200_000),
        "1".repeat(200_000),
        format!("rule a {{ {} }}", "snapshot a/b, ".repeat(20_000)),
        format!("rule a {{ when {} }}", "x is y and ".repeat(20_000)),
        format!("rule a {{ {}\n }}", "when [".repeat(20_000)),
        format!("policy p {{ {}", "x [ ".repeat(20_000)),
        format!("test \"t\" {{ {}", "table a -> b {\n".repeat(5_000)),
        format!("policy p {{\n{}{}\n}}", "k { ".repeat(60), "} ".repeat(60)),
        format!("policy p {{\n{}\n", "k { ".repeat(60)),
        "= ".repeat(100_000),
        ", ".repeat(100_000),
        "\r".repeat(100_000),
    ];
    for text in texts {
        // Without a clock: what is not linear here takes minutes, and `tests/parse_steps.rs` counts.
        is_sound(&text);
    }
}

#[test]
fn nesting_is_read_to_its_limit_and_no_further() {
    let nested = |depth: usize| format!("route 1\ndefine a as {}x is y{}\n", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(codes(&nested(MAX_NESTING)), [] as [&str; 0]);
    assert_eq!(codes(&nested(MAX_NESTING + 1)), ["R007"]);
    let negated = |depth: usize| format!("route 1\ndefine a as {}x\n", "not ".repeat(depth));
    assert_eq!(codes(&negated(MAX_NESTING)), [] as [&str; 0]);
    assert_eq!(codes(&negated(MAX_NESTING + 1)), ["R007"]);
}

#[test]
fn a_file_is_read_to_its_size_limit_and_no_further() {
    let sized = |bytes: usize| format!("route 1\n#{}", "x".repeat(bytes - 9));
    assert_eq!(codes(&sized(MAX_FILE_BYTES)), [] as [&str; 0]);
    assert_eq!(codes(&sized(MAX_FILE_BYTES + 1)), ["R007"]);
}

#[test]
fn findings_stop_at_their_limit() {
    let faulty = |lines: usize| format!("route 1\n{}", "rule a {\n  when [\n}\n".repeat(lines));
    assert_eq!(codes(&faulty(MAX_SYNTAX_FINDINGS - 1)).len(), MAX_SYNTAX_FINDINGS - 1);
    let (_, findings) = parse(&faulty(MAX_SYNTAX_FINDINGS + 1));
    assert_eq!(findings.len(), MAX_SYNTAX_FINDINGS);
    assert!(findings.last().unwrap().notes.iter().any(|note| note.contains("stops after")));
}

#[test]
fn binary_and_misread_files_say_so() {
    assert_eq!(codes("route 1\n\0\0\0"), ["R001"]);
    let (_, findings) = parse(&String::from_utf8_lossy(b"route 1\n# caf\xe9\n"));
    assert_eq!(findings[0].message, "the file is not UTF-8 text");
}

#[test]
fn a_byte_order_mark_and_crlf_are_nothing() {
    assert_eq!(
        codes("\u{feff}route 1\r\nrule a {\r\n  tier mid # x\r\n  degrade template s\r\n}\r\n"),
        [] as [&str; 0]
    );
}

fn valid() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/syntax/valid");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<(String, String)> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "route"))
        .map(|path| (path.display().to_string(), std::fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// Lines that are a statement of their own, in a block: where they end in the text.
fn statements(text: &str) -> Vec<usize> {
    let mut at = 0;
    let lines: Vec<(usize, &str)> = text
        .split_inclusive('\n')
        .map(|line| {
            let start = at;
            at += line.len();
            (start, line)
        })
        .collect();
    let alone = |line: &str| {
        let word = line.trim_start();
        line.starts_with("  ")
            && !word.starts_with(['#', '}', ']', '[', '"'])
            && !line.contains(['{', '}', '#', '[', ']'])
    };
    let continues = |line: &str| ["and ", "or "].iter().any(|word| line.trim_start().starts_with(word));
    let pairs = lines.iter().zip(lines.iter().skip(1));
    let whole = pairs.filter(|((_, line), (_, next))| {
        alone(line) && !continues(line) && !continues(next) && !line.trim_end().ends_with([',', '('])
    });
    whole.map(|((start, line), _)| start + line.trim_end().len()).collect()
}

/// Lists and conditions over several lines hold lines that are no statements.
fn is_in_list(text: &str, end: usize) -> bool {
    let before = &text[..end];
    before.matches(['[', '(']).count() != before.matches([']', ')']).count()
}

#[test]
fn one_broken_statement_costs_one_finding_wherever_it_stands() {
    let mut broken = 0;
    for (name, text) in valid() {
        let items = parse(&text).0.items.len();
        for end in statements(&text).into_iter().filter(|end| !is_in_list(&text, *end)) {
            let damage = [" @@", " ]", " )", " ;", " \"open", " % 12 %"][broken % 6];
            let damaged = format!("{}{damage}{}", &text[..end], &text[end..]);
            let (tree, findings) = parse(&damaged);
            let line = text[..end].lines().last().unwrap();
            assert_eq!(findings.len(), 1, "{name}: `{line}{damage}`: {findings:#?}");
            assert_eq!(tree.items.len(), items, "{name}: `{line}{damage}`");
            broken += 1;
        }
    }
    assert!(broken > 80, "{broken}");
}

#[test]
fn every_broken_statement_of_a_file_is_reported_in_one_run() {
    for (name, text) in valid() {
        let ends: Vec<usize> = statements(&text).into_iter().filter(|end| !is_in_list(&text, *end)).collect();
        let (mut damaged, mut from) = (String::new(), 0);
        for end in &ends {
            damaged += &text[from..*end];
            damaged += " @@";
            from = *end;
        }
        damaged += &text[from..];
        let (_, findings) = parse(&damaged);
        assert_eq!(findings.len(), ends.len().min(MAX_SYNTAX_FINDINGS), "{name}");
    }
}

/// Names of grammar rules that are no words of the language: `when_stmt`, `KW_WHEN`, `EOI`.
fn rule_names() -> Vec<String> {
    let grammar = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("grammar/route.pest")).unwrap();
    let code = grammar.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n");
    let before_equals = code.split('=').filter_map(|part| part.split_whitespace().last());
    let is_name = |word: &&str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let telling = |word: &&str| word.contains('_') || word.chars().all(|c| c.is_ascii_uppercase());
    let mut names: Vec<String> = before_equals.filter(is_name).filter(telling).map(str::to_owned).collect();
    names.extend(["EOI", "SOI", "ANY"].map(str::to_owned));
    assert!(names.len() > 150, "{}", names.len());
    names
}

fn named(text: &str, names: &[String]) -> Option<String> {
    let words: HashSet<&str> = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    names.iter().find(|name| words.contains(name.as_str())).cloned()
}

#[test]
fn no_message_of_the_corpus_names_a_rule_of_the_grammar() {
    let names = rule_names();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "stderr" || end == "expect") {
                let printed = std::fs::read_to_string(&path).unwrap();
                assert_eq!(named(&printed, &names), None, "{}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn no_message_about_a_statement_cut_short_names_a_rule_of_the_grammar() {
    let names = rule_names();
    for (name, text) in valid() {
        let cuts = text.match_indices([' ', ',']).map(|(at, _)| at);
        for at in cuts.step_by(13) {
            let line = text[at..].find('\n').map_or(text.len(), |end| at + end);
            let (_, findings) = parse(&format!("{} {}", &text[..at], &text[line..]));
            for finding in findings {
                let said =
                    [&finding.message[..], &finding.here].into_iter().chain(finding.notes.iter().map(|note| &**note));
                let said = said.chain(finding.help.iter().map(|help| &**help)).collect::<Vec<_>>().join(" ");
                assert_eq!(named(&said, &names), None, "{name}: {said}");
            }
        }
    }
}
