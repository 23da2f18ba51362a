//! Answers that Wayside gives itself: a template's text as a completion or a stream, and the list of models.
//!
//! In: text, names, a time. Out: bodies a Chat Completions client takes for its own. Must not know: why they are needed.

use serde::Serialize;

/// What every chunk and the completion share.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// Unique; the request's id will do.
    pub id: &'a str,
    /// The model's name, as the caller asked for it.
    pub model: &'a str,
    /// Seconds since 1970.
    pub created: u64,
}

#[derive(Serialize)]
struct Completion<'a> {
    id: String,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [Choice<'a>; 1],
    usage: Counts,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u8,
    message: Message<'a>,
    logprobs: (),
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
    refusal: (),
}

#[derive(Serialize, Default)]
struct Counts {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [Part<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Counts>,
}

#[derive(Serialize)]
struct Part<'a> {
    index: u8,
    delta: Delta<'a>,
    logprobs: (),
    finish_reason: Option<&'static str>,
}

#[derive(Serialize, Default)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
}

#[derive(Serialize)]
struct Models<'a> {
    object: &'static str,
    data: Vec<Model<'a>>,
}

#[derive(Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
}

/// A whole answer. It used no tokens, and says so.
pub fn completion(head: Head<'_>, text: &str) -> String {
    let message = Message { role: "assistant", content: text, refusal: () };
    json(&Completion {
        id: prefixed(head.id),
        object: "chat.completion",
        created: head.created,
        model: head.model,
        choices: [Choice { index: 0, message, logprobs: (), finish_reason: "stop" }],
        usage: Counts::default(),
    })
}

/// The same as a stream, `[DONE]` included, in one piece: there is nothing to wait for.
pub fn stream(head: Head<'_>, text: &str, include_usage: bool) -> String {
    let id = prefixed(head.id);
    let chunk = |choices: &[Part<'_>], usage: Option<Counts>| {
        let (created, model) = (head.created, head.model);
        let chunk = Chunk { id: &id, object: "chat.completion.chunk", created, model, choices, usage };
        format!("data: {}\n\n", json(&chunk))
    };
    let part = |role, content, finish_reason| {
        chunk(&[Part { index: 0, delta: Delta { role, content }, logprobs: (), finish_reason }], None)
    };
    let mut body = part(Some("assistant"), Some(""), None);
    body.push_str(&part(None, Some(text), None));
    body.push_str(&part(None, None, Some("stop")));
    if include_usage {
        body.push_str(&chunk(&[], Some(Counts::default())));
    }
    body.push_str("data: [DONE]\n\n");
    body
}

/// `GET /v1/models`: the names a caller may ask for, each with who owns it.
pub fn models<'a>(names: impl IntoIterator<Item = (&'a str, &'a str)>, created: u64) -> String {
    let data = names.into_iter().map(|(id, owned_by)| Model { id, object: "model", created, owned_by }).collect();
    json(&Models { object: "list", data })
}

/// `GET /v1/models/{id}`: one of them.
pub fn model(id: &str, owned_by: &str, created: u64) -> String {
    json(&Model { id, object: "model", created, owned_by })
}

fn prefixed(id: &str) -> String {
    format!("chatcmpl-{id}")
}

/// INVARIANT: strings, numbers and lists of them always serialize.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::answer::{Answer, Finish};
    use super::super::stream::{StreamJudge, Verdict};
    use super::*;

    const HEAD: Head<'_> = Head { id: "r1", model: "gpt-5.4", created: 1_790_000_000 };

    #[test]
    fn a_template_reads_as_a_completion() {
        let body = completion(HEAD, "We are \"busy\".\n");
        let answer = Answer::read(body.as_bytes()).unwrap();
        assert_eq!((answer.failure(), answer.model.as_deref()), (None, Some("gpt-5.4")));
        assert_eq!((answer.id.as_deref(), answer.choices[0]), (Some("chatcmpl-r1"), Some(Finish::Stop)));
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(value["choices"][0]["message"]["content"], "We are \"busy\".\n");
        assert_eq!(value["choices"][0]["message"]["refusal"], serde_json::Value::Null);
        assert_eq!(value["usage"]["total_tokens"], 0);
    }

    #[test]
    fn a_template_reads_as_a_stream() {
        for include_usage in [false, true] {
            let body = stream(HEAD, "busy", include_usage);
            let mut judge = StreamJudge::new(1);
            let events: Vec<_> =
                body.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap()).collect();
            let verdicts: Vec<_> = events.iter().map(|data| judge.event(data.as_bytes())).collect();
            let mut wanted = vec![Verdict::Quiet, Verdict::Content, Verdict::Finish];
            wanted.extend(include_usage.then_some(Verdict::Quiet));
            wanted.push(Verdict::Done);
            assert_eq!(verdicts, wanted);
            assert!(judge.complete());
            assert_eq!(judge.usage().is_some(), include_usage);
        }
    }

    #[test]
    fn the_list_of_models_has_the_shape_clients_expect() {
        let body = models([("openai/gpt-5.4", "openai"), ("fast", "wayside")], 7);
        assert_eq!(
            body,
            r#"{"object":"list","data":[{"id":"openai/gpt-5.4","object":"model","created":7,"owned_by":"openai"},{"id":"fast","object":"model","created":7,"owned_by":"wayside"}]}"#
        );
        assert_eq!(models([], 7), r#"{"object":"list","data":[]}"#);
    }
}
