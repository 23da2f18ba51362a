//! How the demo looks.
//!
//! In: what was played. Out: text with styles, which the terminal's edge removes where they are not wanted. Must not know:
//! sockets, terminals.

use std::fmt::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::scenes::CALLER_MODEL;
use super::{Hop, Played, Stage};

const TITLE: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const NAME: Style = AnsiColor::Cyan.on_default();
const ASIDE: Style = Style::new().dimmed();

/// Width of the words at the left.
const WORD: usize = 8;
/// Characters of an answer that are shown.
const QUOTED: usize = 56;
/// Columns of a text before it is broken.
const TEXT: usize = 88;
/// Characters of the policy's hash, the name of the algorithm included.
const HASH: usize = 19;
/// Least width of the names of snapshots, so that scenes line up with each other.
const SNAPSHOT: usize = 32;

fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// What is about to be seen.
pub fn opening(stage: &Stage) -> String {
    let (policy, hash) = stage.policy_name();
    let short: String = hash.chars().take(HASH).collect();
    format!(
        "{}\n{}\n",
        styled(TITLE, "wayside demo: every call is a decision of the policy, not of the caller"),
        styled(
            ASIDE,
            &format!(
                "policy {policy} {short} · simulated providers {} · no keys, no network",
                super::PROVIDERS.join(", ")
            )
        ),
    )
}

/// One scene.
pub fn scene(number: usize, played: &Played) -> String {
    let mut page = Page(format!("\n{}\n", styled(TITLE, &format!("{number}  {}", played.scene.title))));
    page.line("asks", &asks(played));
    let expected = &played.expected;
    let place = styled(ASIDE, &format!("demo.route:{}", expected.line));
    page.line("rule", &format!("{}  {place}", styled(NAME, &expected.rule)));
    if expected.because.is_none() && expected.rule == "otherwise" {
        page.line("", &styled(ASIDE, "No rule above it matched."));
    }
    for line in expected.because.iter().flat_map(|because| wrapped(because.split_whitespace(), " ")) {
        page.line("", &styled(ASIDE, &line));
    }
    if let Some(refusal) = &expected.refusal {
        page.line("rejects", &format!("{} \"{refusal}\"", expected.status));
    }
    hops(&mut page, played);
    page.line("answer", &answer(played));
    for difference in &played.differences {
        page.line("", &styled(BAD, &format!("✗ {difference}")));
    }
    page.0
}

struct Page(String);

impl Page {
    fn line(&mut self, word: &str, text: &str) {
        let _ = writeln!(self.0, "   {word:<WORD$} {text}");
    }
}

fn asks(played: &Played) -> String {
    let scene = &played.scene;
    let mut said = Vec::new();
    said.push(scene.tenant.map_or("no tenant".to_owned(), |tenant| format!("tenant {tenant}")));
    let plan = played.record.as_ref().and_then(|record| record["request"]["plan"].as_str());
    said.extend(plan.map(|plan| format!("plan {plan}")));
    said.extend(scene.feature.map(|feature| format!("feature {feature}")));
    said.push(match scene.tokens() {
        tokens if tokens >= 1000 => format!("a prompt of {}k tokens", tokens / 1000),
        tokens => format!("a prompt of {tokens} tokens"),
    });
    if scene.stream {
        said.push("streaming".to_owned());
    }
    said.push(styled(ASIDE, &format!("model {CALLER_MODEL}")));
    said.join(" · ")
}

/// One line for each hop that was tried, and one for the rest of the chain.
fn hops(page: &mut Page, played: &Played) {
    let chain = &played.expected.hops;
    let width = chain.iter().map(|hop| hop.snapshot.len()).max().unwrap_or(0).max(SNAPSHOT);
    let attempts = played.record.as_ref().and_then(|record| record["attempts"].as_array());
    let mut untried: Vec<&str> = Vec::new();
    for hop in chain {
        let of_hop = |attempt: &&Value| attempt["hop"] == hop.position;
        let tried: Vec<_> = attempts.into_iter().flatten().filter(of_hop).collect();
        for attempt in &tried {
            page.line(&format!("hop {}", hop.position), &attempt_line(hop, attempt, width));
        }
        if tried.is_empty() {
            let dropped = played.record.as_ref().and_then(|record| dropped(record, &hop.snapshot));
            match dropped {
                Some(why) => {
                    let text = format!("- {:<width$}  left out: {why}", hop.snapshot);
                    page.line(&format!("hop {}", hop.position), &styled(ASIDE, &text));
                }
                None => untried.push(&hop.snapshot),
            }
        }
    }
    if let Some(step) = &played.expected.degraded {
        page.line("then", &format!("{} {step}", styled(GOOD, "✓")));
    } else {
        untried.extend(played.expected.last_word.as_deref());
    }
    for (at, line) in wrapped(untried.into_iter(), ", ").iter().enumerate() {
        page.line(if at == 0 { "else" } else { "" }, &styled(ASIDE, line));
    }
}

fn attempt_line(hop: &Hop, attempt: &Value, width: usize) -> String {
    let time = attempt["duration_ms"].as_u64().map_or(String::new(), |ms| format!("{ms} ms"));
    match attempt["failure"].as_str() {
        None => format!("{} {:<width$}  {:<16} {time:>7}", styled(GOOD, "✓"), hop.snapshot, "answered"),
        Some(failure) => {
            let status = attempt["status"].as_u64().map_or(String::new(), |status| format!(" ({status})"));
            let why = format!("{failure}{status}");
            format!("{} {:<width$}  {why:<16} {time:>7}", styled(BAD, "✗"), hop.snapshot)
        }
    }
}

/// Why a hop of the chain was not even tried.
fn dropped(record: &Value, snapshot: &str) -> Option<String> {
    let listed = record["dropped"].as_array()?;
    let entry = listed.iter().find(|entry| entry[0] == snapshot)?;
    entry[1].as_str().map(|reason| reason.replace('_', " "))
}

fn answer(played: &Played) -> String {
    let answer = &played.answer;
    let status = styled(if answer.status < 400 { GOOD } else { BAD }, &answer.status.to_string());
    let mut said = vec![status];
    let header = |name: &str| answer.header(name);
    match (header("x-wayside-degraded"), header("x-wayside-snapshot")) {
        (Some(step), _) => said.push(format!("degraded to {step}")),
        (None, Some(snapshot)) => said.push(format!("by {}", styled(NAME, snapshot))),
        (None, None) => {}
    }
    said.extend(header("x-wayside-tier").map(|tier| format!("tier {tier}")));
    if answer.events > 0 {
        let first = answer.first_word.map_or(String::new(), |first| format!(", the first after {}", millis(first)));
        said.push(format!("{} events{first}", answer.events));
    }
    said.push(millis(answer.took));
    let cost = played.record.as_ref().and_then(|record| record["cost_usd"].as_str());
    said.extend(cost.map(|cost| format!("${cost}")));
    format!("{}\n   {:WORD$} {}", said.join(" · "), "", styled(ASIDE, &quoted(&answer.text)))
}

fn millis(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

fn quoted(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.chars().count() <= QUOTED {
        return format!("“{line}”");
    }
    let front: String = line.chars().take(QUOTED).collect();
    format!("“{}…”", front.trim_end())
}

/// Lines of at most [`TEXT`] columns, broken between parts.
fn wrapped<'a>(parts: impl Iterator<Item = &'a str>, between: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if line.chars().count() + between.len() + part.chars().count() <= TEXT => {
                line.push_str(between);
                line.push_str(part);
            }
            Some(line) => {
                line.push_str(between.trim_end());
                lines.push(part.to_owned());
            }
            None => lines.push(part.to_owned()),
        }
    }
    lines
}

/// How it went, in one line.
pub fn verdict(played: &[Played]) -> String {
    let wrong = played.iter().filter(|one| !one.differences.is_empty()).count();
    if wrong > 0 {
        return format!(
            "\n{}\n",
            styled(BAD, &format!("{wrong} of {} requests did not go as the policy says.", played.len()))
        );
    }
    let count = |wanted: fn(&Played) -> bool| played.iter().filter(|one| wanted(one)).count();
    let parts = [
        (count(|one| one.expected.answers == Some(1)), "by the first choice"),
        (count(|one| one.expected.answers.is_some_and(|hop| hop > 1)), "by a fallback"),
        (count(|one| one.expected.degraded.is_some()), "by a template"),
        (count(|one| one.expected.refusal.is_some()), "refused by a rule"),
    ];
    let parts: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let all = format!("All {} requests went as the policy says:", played.len());
    format!("\n{} {}.\n", styled(GOOD, &all), parts.join(", "))
}

/// What a visitor can do now.
pub fn farewell(stage: &Stage) -> String {
    let (proxy, simulator) = (stage.proxy, stage.simulator());
    let heading = |text: &str| styled(TITLE, text);
    let mut text = format!(
        r#"
{ask}
  curl -i http://{proxy}/v1/chat/completions -H 'x-wayside-tenant: acme' \
    -d '{{"model": "{CALLER_MODEL}", "messages": [{{"role": "user", "content": "Hello"}}]}}'

  python3 -c '
from openai import OpenAI  # pip install openai
client = OpenAI(base_url="http://{proxy}/v1", api_key="any", default_headers={{"x-wayside-tenant": "acme"}})
reply = client.chat.completions.create(model="{CALLER_MODEL}", messages=[{{"role": "user", "content": "Hello"}}])
print(reply.model, "said:", reply.choices[0].message.content)'

  python3 -c '
from anthropic import Anthropic  # pip install anthropic; whoever answers, the answer is in the dialect that asked
client = Anthropic(base_url="http://{proxy}", api_key="any", default_headers={{"x-wayside-tenant": "acme"}})
reply = client.messages.create(model="{CALLER_MODEL}", max_tokens=300, messages=[{{"role": "user", "content": "Hello"}}])
print(reply.model, "said:", reply.content[0].text)'

{breaking}
  curl -X PUT http://{simulator}/simulate/faults -d '[{{"provider": "anthropic", "fault": 503}}]'
  curl -X DELETE http://{simulator}/simulate/faults

{look}
"#,
        ask = heading("Ask it yourself"),
        breaking = heading("Break a provider, ask again, mend it"),
        look = heading("Look around"),
    );
    let _ = writeln!(text, "  policy   {}  (save a change, and it is in force)", stage.files.policy().display());
    if let Some(admin) = stage.admin {
        let _ = writeln!(text, "  status   http://{admin}/status\n  metrics  http://{admin}/metrics");
    }
    let _ = writeln!(text, "  seen     http://{simulator}/simulate/seen  (what the providers got)\n\nCtrl-C ends it.");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_answers_and_reasons_are_cut_between_words() {
        assert_eq!(quoted("short"), "“short”");
        assert_eq!(quoted(&"a".repeat(QUOTED + 1)).chars().count(), QUOTED + 3);
        let lines = wrapped(["word"; 40].into_iter(), " ");
        assert!(lines.len() > 1 && lines.iter().all(|line| line.chars().count() <= TEXT));
    }
}
