//! The page of a code as people and programs read it.
//!
//! In: a page in Markdown. Out: text for a terminal, or JSON. Must not know: whether somebody looks.

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use super::super::super::diagnostic::Code;
use super::super::super::render::json::{Document, Head};
use super::{Example, examples, section};

/// Columns of a terminal that everybody has.
const WIDTH: usize = 80;
const INDENT: &str = "    ";
const HEADING: Style = Style::new().bold();
const EXAMPLE: Style = AnsiColor::Cyan.on_default();

/// For a terminal: headings are bold, examples indented, text is wrapped.
pub fn terminal(page: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    let mut paragraph = String::new();
    for line in page.lines() {
        if inside || line.starts_with("```") || line.starts_with('#') || line.is_empty() {
            wrap(&mut text, &std::mem::take(&mut paragraph));
        }
        if line.starts_with("```") {
            inside = !inside;
            if let Some((_, name)) = line.split_once(' ') {
                text.push_str(&format!("{INDENT}# {name}\n"));
            }
        } else if inside && line.is_empty() {
            text.push('\n');
        } else if inside {
            text.push_str(&format!("{INDENT}{EXAMPLE}{line}{EXAMPLE:#}\n"));
        } else if line.starts_with('#') {
            text.push_str(&format!("{HEADING}{}{HEADING:#}\n", line.trim_start_matches('#').trim()));
        } else if line.is_empty() {
            text.push('\n');
        } else {
            paragraph.push_str(line);
            paragraph.push(' ');
        }
    }
    wrap(&mut text, &paragraph);
    text
}

fn wrap(text: &mut String, paragraph: &str) {
    let mut column = 0;
    for word in paragraph.split_whitespace() {
        let width = word.chars().count();
        if column > 0 {
            let fits = column + 1 + width <= WIDTH;
            text.push(if fits { ' ' } else { '\n' });
            column = if fits { column + 1 } else { 0 };
        }
        text.push_str(word);
        column += width;
    }
    if column > 0 {
        text.push('\n');
    }
}

/// For a program.
pub fn json(code: &Code, page: &'static str) -> Document<Value> {
    let flat = |heading: &str| section(page, heading).replace('\n', " ");
    let of = |wrong: bool| examples(page).iter().filter(|one| one.wrong == wrong).map(example).collect::<Vec<_>>();
    let body = json!({
        "code": code.code,
        "name": code.name,
        "level": code.level.word(),
        "what": flat(""),
        "why": flat("Why"),
        "wrong": of(true),
        "right": of(false),
        "allow": flat("Allow"),
        "markdown": page,
    });
    Document::new(Head::of("explain"), body)
}

fn example(example: &Example) -> Value {
    let files: Vec<Value> = example.beside.iter().map(|(name, text)| json!({"name": name, "text": text})).collect();
    json!({"policy": example.text, "files": files})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_and_examples_are_not() {
        let long = "word ".repeat(40);
        let page = format!("# R1 name\n\n{long}\n\n```route\n{long}\n```\n");
        let plain: String = anstream::adapter::strip_str(&terminal(&page)).to_string();
        let lines: Vec<&str> = plain.lines().collect();
        assert_eq!(lines[0], "R1 name");
        assert!(lines[2].len() <= WIDTH && lines[3].starts_with("word"), "{plain}");
        assert!(lines.iter().any(|line| line.starts_with("    word") && line.len() > WIDTH), "{plain}");
        assert!(!plain.contains("```"));
    }
}
