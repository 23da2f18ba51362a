//! What is asked, and what is broken while it is asked.
//!
//! In: nothing. Out: a list that a newcomer can read. Must not know: how it goes.

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// What a newcomer should see.
    pub title: &'static str,
    /// Header `x-wayside-tenant`.
    pub tenant: Option<&'static str>,
    /// Header `x-wayside-feature`.
    pub feature: Option<&'static str>,
    /// The user's message.
    pub prompt: &'static str,
    /// The message followed by a text of about so many tokens.
    pub attached_tokens: usize,
    /// Whether events are wanted.
    pub stream: bool,
    /// Providers that answer 503 meanwhile.
    pub down: &'static [&'static str],
}

/// What the caller's program was written for; the policy decides what answers.
pub const CALLER_MODEL: &str = "gpt-4o";
/// The plan of callers that name no tenant.
pub const DEFAULT_PLAN: &str = "free";

/// Seven requests, each for one thing a policy does.
pub const SCENES: [Scene; 7] = [
    Scene {
        title: "An enterprise tenant asks for a reply",
        tenant: Some("acme"),
        feature: Some("agent_reply"),
        prompt: "My order arrived broken. What can I do?",
        attached_tokens: 0,
        stream: false,
        down: &[],
    },
    Scene {
        title: "Somebody on the free plan asks the same",
        tenant: None,
        feature: Some("agent_reply"),
        prompt: "My order arrived broken. What can I do?",
        attached_tokens: 0,
        stream: false,
        down: &[],
    },
    Scene {
        title: "A paying tenant wants a summary, as a stream",
        tenant: Some("fixly"),
        feature: Some("summarize"),
        prompt: "Summarize this conversation in two sentences.",
        attached_tokens: 400,
        stream: true,
        down: &[],
    },
    Scene {
        title: "The conversation is very long",
        tenant: Some("fixly"),
        feature: Some("summarize"),
        prompt: "Summarize this conversation in two sentences.",
        attached_tokens: 40_000,
        stream: false,
        down: &[],
    },
    Scene {
        title: "The free plan sends a long one too",
        tenant: None,
        feature: Some("summarize"),
        prompt: "Summarize this conversation in two sentences.",
        attached_tokens: 20_000,
        stream: false,
        down: &[],
    },
    Scene {
        title: "Anthropic goes down, and acme asks again",
        tenant: Some("acme"),
        feature: Some("agent_reply"),
        prompt: "And how long will the replacement take?",
        attached_tokens: 0,
        stream: false,
        down: &["anthropic"],
    },
    Scene {
        title: "Anthropic and OpenAI are down, and a ticket wants tags",
        tenant: Some("acme"),
        feature: Some("auto_tag"),
        prompt: "Tag this ticket: my order arrived broken.",
        attached_tokens: 0,
        stream: false,
        down: &["anthropic", "openai"],
    },
];

impl Scene {
    /// The request body.
    pub fn body(&self) -> String {
        let mut content = self.prompt.to_owned();
        // One short common word is one token in every tokenizer in use.
        content.push_str(&" river".repeat(self.attached_tokens));
        let mut body = serde_json::json!({
            "model": CALLER_MODEL, "messages": [{"role": "user", "content": content}],
        });
        if self.stream {
            body["stream"] = true.into();
        }
        body.to_string()
    }

    /// About how many tokens the prompt has: its words, and what is attached.
    pub fn tokens(&self) -> usize {
        self.prompt.split_whitespace().count() + self.attached_tokens
    }

    /// The request in the words of `wayside explain`.
    pub fn facts(&self) -> Vec<(String, String)> {
        let mut facts = vec![
            ("prompt_tokens".to_owned(), self.tokens().to_string()),
            ("streaming".to_owned(), if self.stream { "yes" } else { "no" }.to_owned()),
        ];
        facts.extend(self.feature.map(|feature| ("feature".to_owned(), feature.to_owned())));
        facts.push(match self.tenant {
            Some(tenant) => ("tenant".to_owned(), tenant.to_owned()),
            None => ("plan".to_owned(), DEFAULT_PLAN.to_owned()),
        });
        facts
    }
}
