//! Taking up a broken stream with the answer of another hop: `on cut resume` of section 5.6.
//!
//! In: the text that the caller has seen, the events of another answer. Out: what of them follows the text, or the word that the
//! two differ. Must not know: hops, sockets.

use bytes::Bytes;

use super::attempt::MAX_HELD;
use crate::dialect::chat::output::{Output, with_text};
use crate::dialect::sse::Event;

/// What an event of the second answer is to the caller of the first.
#[derive(Debug, PartialEq, Eq)]
pub enum Seam {
    /// A part of what was seen.
    Seen,
    /// What follows.
    Follows(Bytes),
    /// Another answer.
    Differs,
}

/// The text of a stream that may be taken up: one choice that said nothing but text, and did not end. What is larger than a held
/// stream may be is not kept, and cannot be compared.
pub fn text(output: &Output) -> Option<&str> {
    let [choice] = &output.choices[..] else { return None };
    let only_text = choice.calls.is_empty() && !choice.refused && !choice.more && choice.finish.is_none();
    (only_text && output.len() <= MAX_HELD).then_some(&*choice.text)
}

/// Looks at one event. `output` is what the answer says with it, `known` how many bytes of text it had without.
pub fn seam(before: &str, known: usize, output: &Output, event: &Event) -> Seam {
    let choice = match &output.choices[..] {
        [] => return Seam::Seen,
        [choice] => choice,
        _ => return Seam::Differs,
    };
    if choice.more || choice.refused {
        return Seam::Differs;
    }
    let goes_on = !choice.calls.is_empty() || choice.finish.is_some();
    let Some(rest) = choice.text.strip_prefix(before) else {
        let agrees = !goes_on && before.starts_with(&*choice.text);
        return if agrees { Seam::Seen } else { Seam::Differs };
    };
    if known >= before.len() && (!rest.is_empty() || goes_on) {
        return Seam::Follows(event.raw.clone());
    }
    if rest.is_empty() && !goes_on {
        return Seam::Seen;
    }
    let cut = event.data().and_then(|data| with_text(data, rest));
    cut.map_or(Seam::Differs, |data| Seam::Follows(format!("data: {data}\n\n").into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::sse::Framer;

    fn chunk(delta: &str, finish: &str) -> String {
        format!(r#"{{"id":"b","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#)
    }

    fn word(text: &str) -> String {
        chunk(&serde_json::json!({"content": text}).to_string(), "null")
    }

    /// What the caller is given of these events after having seen `before`; `None` when the answers differ.
    fn joined(before: &str, events: &[String]) -> Option<(Vec<String>, String)> {
        let mut framer = Framer::default();
        let (mut output, mut followed) = (Output::default(), Output::default());
        let mut raw = Vec::new();
        let mut begun = false;
        for data in events {
            framer.push(format!("data: {data}\n\n").into());
            let event = framer.next_event().unwrap().unwrap();
            let known = output.choices.first().map_or(0, |choice| choice.text.len());
            output.event(event.data().unwrap());
            let seam = if begun { Seam::Follows(event.raw.clone()) } else { seam(before, known, &output, &event) };
            match seam {
                Seam::Seen => {}
                Seam::Differs => return None,
                Seam::Follows(bytes) => {
                    begun = true;
                    let line = String::from_utf8(bytes.to_vec()).unwrap();
                    followed.event(line.strip_prefix("data: ").unwrap().trim().as_bytes());
                    raw.push(line);
                }
            }
        }
        Some((raw, followed.choices.first().map(|choice| choice.text.clone()).unwrap_or_default()))
    }

    fn events(words: &[&str]) -> Vec<String> {
        let mut events = vec![chunk(r#"{"role":"assistant","content":""}"#, "null")];
        events.extend(words.iter().map(|text| word(text)));
        events.push(chunk("{}", "\"stop\""));
        events
    }

    #[test]
    fn what_was_seen_is_left_out_wherever_it_ends() {
        let text = "Snö ☃ \"faller\"\n.";
        for end in (1..=text.len()).filter(|end| text.is_char_boundary(*end)) {
            for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
                let (raw, rest) = joined(&text[..end], &events(&[&text[..at], &text[at..]])).unwrap();
                assert_eq!(rest, text[end..], "{end} {at}");
                assert!(raw.last().unwrap().contains("stop"), "{end} {at}");
                assert!(raw.iter().all(|line| line.contains("\"id\":\"b\"")), "{raw:?}");
            }
        }
    }

    #[test]
    fn the_first_difference_ends_it() {
        for (before, words) in [
            ("one two", &["one ", "tree"][..]),
            ("one two", &["one twx"]),
            ("one two", &["one"]),
            ("one two", &[]),
            ("one two", &["One two three"]),
            ("ä", &["a"]),
        ] {
            assert_eq!(joined(before, &events(words)), None, "{before} {words:?}");
        }
        let call = r#"{"tool_calls":[{"index":0,"id":"1","function":{"name":"f","arguments":"{}"}}]}"#;
        let calls = |front: &str| joined("one", &[word(front), chunk(call, "null"), chunk("{}", "\"tool_calls\"")]);
        assert_eq!(calls("on"), None, "a call in place of the words");
        assert!(calls("one").is_some(), "a call after them");
        assert_eq!(joined("one", &[chunk(r#"{"content":"one","reasoning_content":"hm"}"#, "null")]), None);
        assert_eq!(joined("one", &[chunk(r#"{"refusal":"no"}"#, "null")]), None);
        let second = r#"{"choices":[{"index":0,"delta":{"content":"one"}},{"index":1,"delta":{"content":"one"}}]}"#;
        assert_eq!(joined("one", &[second.to_owned()]), None);
    }

    #[test]
    fn an_event_that_ends_the_words_and_the_answer_keeps_its_end() {
        let both = chunk(r#"{"content":"one two"}"#, "\"stop\"");
        for (before, rest) in [("one two", ""), ("one", " two")] {
            let (raw, text) = joined(before, std::slice::from_ref(&both)).unwrap();
            assert_eq!((raw.len(), &*text), (1, rest));
            assert!(raw[0].contains("\"finish_reason\":\"stop\""), "{raw:?}");
        }
    }

    #[test]
    fn only_text_that_is_under_way_is_taken_up() {
        let said = |events: &[String]| {
            let mut output = Output::default();
            events.iter().for_each(|data| output.event(data.as_bytes()));
            text(&output).map(str::to_owned)
        };
        assert_eq!(said(&[word("a"), word("b")]).as_deref(), Some("ab"));
        assert_eq!(said(&[]), None);
        assert_eq!(said(&events(&["a"])), None, "it has its end");
        assert_eq!(said(&[word("a"), chunk(r#"{"tool_calls":[{"index":0,"function":{"name":"f"}}]}"#, "null")]), None);
        assert_eq!(said(&[word("a"), chunk(r#"{"reasoning":"hm"}"#, "null")]), None);
        assert_eq!(said(&[word(&"x".repeat(MAX_HELD))]).map(|text| text.len()), Some(MAX_HELD));
        assert_eq!(said(&[word(&"x".repeat(MAX_HELD + 1))]), None);
    }
}
