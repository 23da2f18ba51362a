//! Findings in the formats that programs read: as published schemas, parsers and limits of those programs have it.
//!
//! `WAYSIDE_BLESS=1 cargo test --test language render_reports` writes `tests/corpus/render` anew; read the difference.

use std::path::Path;

use quick_xml::events::Event;
use serde_json::Value;
use wayside::policy::diagnostic::{CODES, Code, Diagnostic, Level, R201, R303, R401, R405, Witness};
use wayside::policy::render;
use wayside::policy::source::{Sources, Span};

const POLICY: &str =
    "route 1\n\nrule größer {\n  when a is b\n  fallback openai/gpt-5.4\n}\n\nrule dead {\n  tier mid\n}\n";

fn at(sources: &Sources, file: usize, what: &str) -> Span {
    let (id, source) = sources.files().nth(file).unwrap();
    let lo = source.text.find(what).unwrap() as u32;
    Span { file: id, lo, hi: lo + what.len() as u32 }
}

/// Two files, every level, a witness, a label, a fix, and text that each format must escape.
fn sample() -> (Sources, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    sources.add("policies/größe 1,2.route", POLICY);
    sources.add("z.route", "route 1\n");
    let alias = at(&sources, 0, "openai/gpt-5.4");
    let pairs = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let findings = vec![
        Diagnostic::new(&R201, alias, "openai/gpt-5.4 is an alias <&\"'> of 100%\u{1}")
            .here("it moves")
            .help("write `openai/gpt-5.4-2026-03-05`")
            .fix(true, "write the snapshot", alias, "openai/gpt-5.4-2026-03-05"),
        Diagnostic::new(&R401, at(&sources, 0, "dead"), "rule `dead` can never match")
            .label(at(&sources, 0, "größer"), "takes every request `dead` wants")
            .witness(Witness { request: pairs("prompt_tokens", "2k"), readings: pairs("economy_mode", "on") })
            .note("one | two"),
        Diagnostic::new(&R303, at(&sources, 0, "rule dead {\n  tier mid"), "warned about"),
        Diagnostic::new(&R405, at(&sources, 1, "route"), "noted").level(Level::Info),
        Diagnostic::new(&R405, at(&sources, 1, "1"), "pedantic").level(Level::Pedantic),
    ];
    (sources, findings)
}

fn expect(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/render").join(name);
    if std::env::var_os("WAYSIDE_BLESS").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, expected, "{name}: run with WAYSIDE_BLESS=1 and review");
}

fn no_page(_: &Code) -> Option<&'static str> {
    None
}

fn sarif(findings: &[Diagnostic], sources: &Sources, faults: &[String]) -> Value {
    serde_json::to_value(render::sarif::log(findings, sources, &no_page, faults)).unwrap()
}

#[test]
fn sarif_is_what_its_published_schema_says() {
    let schema: Value = serde_json::from_str(include_str!("../schemas/sarif-2.1.0.json")).unwrap();
    let validator = jsonschema::draft4::new(&schema).unwrap();
    let (sources, findings) = sample();
    for log in [sarif(&findings, &sources, &["a fault".to_owned()]), sarif(&[], &Sources::default(), &[])] {
        let errors: Vec<String> =
            validator.iter_errors(&log).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
    let mut broken = sarif(&findings, &sources, &[]);
    broken["runs"][0]["results"][0]["level"] = "critical".into();
    assert!(!validator.is_valid(&broken), "a schema that takes everything proves nothing");
}

#[test]
fn sarif_declares_every_rule_and_points_at_them() {
    let (sources, findings) = sample();
    let log = sarif(&findings, &sources, &[]);
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), CODES.len());
    for result in run["results"].as_array().unwrap() {
        assert_eq!(rules[result["ruleIndex"].as_u64().unwrap() as usize]["id"], result["ruleId"]);
        let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
        assert!(!uri.starts_with('/') && !uri.contains(' '), "{uri}");
    }
    let with_page = render::sarif::log(&findings, &sources, &|code| (code.code == "R401").then_some("# a page"), &[]);
    let with_page = serde_json::to_value(with_page).unwrap();
    let pages = with_page["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(pages.iter().filter(|rule| rule["help"]["markdown"] == "# a page").count(), 1);
    let text = serde_json::to_string_pretty(&run["results"]).unwrap();
    expect("results.sarif", &format!("{text}\n"));
}

#[test]
fn gitlab_gets_a_fingerprint_a_severity_and_a_place_for_each_issue() {
    let (sources, mut findings) = sample();
    findings.push(findings[0].clone());
    let issues = serde_json::to_value(render::gitlab::issues(&findings, &sources)).unwrap();
    let issues = issues.as_array().unwrap();
    let mut prints: Vec<&str> = issues.iter().map(|issue| issue["fingerprint"].as_str().unwrap()).collect();
    prints.sort_unstable();
    prints.dedup();
    assert_eq!(prints.len(), findings.len(), "GitLab drops an issue whose fingerprint it has seen");
    for issue in issues {
        assert!(["info", "minor", "major", "critical", "blocker"].contains(&issue["severity"].as_str().unwrap()));
        assert!(issue["location"]["lines"]["begin"].as_u64().unwrap() > 0);
        assert!(issue["description"].is_string() && issue["check_name"].is_string());
    }
    expect("gitlab.json", &(serde_json::to_string_pretty(&issues).unwrap() + "\n"));
}

/// Elements with their attributes, and text; fails where the text is not XML.
fn xml(text: &str) -> Vec<String> {
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut found = Vec::new();
    loop {
        let element = match reader.read_event().unwrap() {
            Event::Eof => return found,
            Event::Start(element) | Event::Empty(element) => element,
            _ => continue,
        };
        let attributes = element.attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            let value = attribute.normalized_value(quick_xml::XmlVersion::Explicit1_0).unwrap();
            format!(" {}={value}", attribute.key.as_ref())
        });
        found.push(format!("{}{}", element.name().as_ref(), attributes.collect::<String>()));
    }
}

#[test]
fn xml_reports_read_back_as_what_was_found() {
    let (sources, findings) = sample();
    let mut junit = String::new();
    let fails = |finding: &Diagnostic| finding.level == Level::Error;
    render::junit::junit(&findings, &sources, &fails, &mut junit).unwrap();
    let read = xml(&junit);
    assert_eq!(read[0], "testsuites name=wayside check tests=5 failures=2");
    assert_eq!(read[1], "testsuite name=policies/größe 1,2.route tests=3 failures=2");
    assert!(read.contains(&"failure type=error message=openai/gpt-5.4 is an alias <&\"'> of 100%\u{fffd}".to_owned()));
    assert_eq!(read.iter().filter(|element| element.starts_with("system-out")).count(), 3);
    expect("junit.xml", &junit);

    let mut checkstyle = String::new();
    render::checkstyle::checkstyle(&findings, &sources, &mut checkstyle).unwrap();
    let read = xml(&checkstyle);
    assert_eq!(read.iter().filter(|element| element.starts_with("file ")).count(), 2);
    let first = "error line=5 column=12 severity=error message=openai/gpt-5.4 is an alias <&\"'> of 100%\u{fffd} source=wayside.R201.unpinned-model";
    assert!(read.contains(&first.to_owned()), "{read:#?}");
    expect("checkstyle.xml", &checkstyle);
}

#[test]
fn machine_formats_print_an_empty_document_when_clean() {
    let sources = Sources::default();
    let (mut junit, mut checkstyle, mut github) = (String::new(), String::new(), String::new());
    render::junit::junit(&[], &sources, &|_| true, &mut junit).unwrap();
    render::checkstyle::checkstyle(&[], &sources, &mut checkstyle).unwrap();
    render::github::commands(&[], &sources, &mut github).unwrap();
    assert_eq!(xml(&junit), ["testsuites name=wayside check tests=0 failures=0"]);
    assert_eq!(xml(&checkstyle), ["checkstyle version=4.3"]);
    assert_eq!(github, "");
    assert_eq!(serde_json::to_string(&render::gitlab::issues(&[], &sources)).unwrap(), "[]");
    assert_eq!(sarif(&[], &sources, &[])["runs"][0]["results"], serde_json::json!([]));
}

#[test]
fn workflow_commands_are_escaped_and_say_what_people_see() {
    let (sources, findings) = sample();
    let mut commands = String::new();
    render::github::commands(&findings, &sources, &mut commands).unwrap();
    assert_eq!(commands.lines().count(), findings.len());
    expect("github.txt", &commands);
    expect("github_summary.md", &render::github::summary(&findings, &sources, "2 errors, 1 warning"));
}

/// So many findings of each level, and the levels of the commands that come out.
fn annotated(errors: usize, warnings: usize, notices: usize) -> (Vec<String>, String) {
    let (sources, findings) = sample();
    let many = |level, count| (0..count).map(move |_| level);
    let levels = many(Level::Warning, warnings).chain(many(Level::Error, errors)).chain(many(Level::Info, notices));
    let list: Vec<Diagnostic> = levels.map(|level| findings[3].clone().level(level)).collect();
    let mut commands = String::new();
    render::github::commands(&list, &sources, &mut commands).unwrap();
    let last = commands.lines().last().unwrap().to_owned();
    (
        commands.lines().map(|line| line.split([' ', ':']).find(|word| !word.is_empty()).unwrap().to_owned()).collect(),
        last,
    )
}

#[test]
fn github_shows_ten_of_a_level_errors_first_and_counts_the_rest() {
    let count = |levels: &[String], word: &str| levels.iter().filter(|level| *level == word).count();
    let (levels, _) = annotated(10, 10, 10);
    assert_eq!(levels.len(), 30, "at the limit everything is shown");
    assert!(levels[..10].iter().all(|level| level == "error"), "{levels:?}");
    let (levels, last) = annotated(11, 3, 0);
    assert_eq!((count(&levels, "error"), count(&levels, "warning"), count(&levels, "notice")), (10, 3, 1));
    assert_eq!(last, "::notice title=wayside check::and 1 more");
    let (levels, last) = annotated(0, 24, 10);
    assert_eq!(
        (count(&levels, "warning"), count(&levels, "notice")),
        (10, 10),
        "the count takes the place of a notice"
    );
    assert_eq!(last, "::notice title=wayside check::and 15 more");
}

#[test]
fn the_summary_is_bounded() {
    let (sources, findings) = sample();
    let rows = |count: usize| {
        let list = vec![findings[0].clone(); count];
        render::github::summary(&list, &sources, "many")
    };
    let limit = rows(render::github::MAX_ROWS);
    assert_eq!(limit.matches("| error |").count(), render::github::MAX_ROWS);
    assert!(!limit.contains(" more"));
    assert!(rows(render::github::MAX_ROWS + 1).ends_with("\nand 1 more\n\n"));
    let mut long = findings[0].clone();
    long.message = "ü".repeat(render::github::MAX_CELL + 1);
    let row = render::github::summary(&[long], &sources, "one");
    assert!(row.contains(&format!("| {}… |", "ü".repeat(render::github::MAX_CELL))));
}

#[test]
fn findings_that_would_share_a_fingerprint_are_numbered() {
    let (sources, findings) = sample();
    let twice = [findings[0].clone(), findings[0].clone(), findings[1].clone()];
    let prints = render::fingerprints::fingerprints(&twice, &sources);
    assert_ne!(prints[0], prints[1]);
    let alone = render::fingerprints::fingerprints(&findings[..2], &sources);
    assert_eq!((&prints[0], &prints[2]), (&alone[0], &alone[1]));
}
