//! `wayside lsp` as an editor meets it: the real binary, framed messages over its pipes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod answers;
mod client;
mod diagnostics;
mod names;
mod protocol;
mod speed;

/// Three tiers, a policy with every kind of thing a hover or a completion looks up.
pub const MODELS: &str = r#"route 1

tier mid {
  anthropic/claude-sonnet-5
  openai/gpt-5.4-2026-03-05
}

tier small {
  openai/gpt-5.4-mini-2026-03-17
  mistral/mistral-small-2603
}
"#;

pub const DESK: &str = r#"route 1
use "models.route"

policy desk { deadline 60s, max_prompt 100k }

plans [free, pro]
feature reply { max_output 1k }
feature tag { stakes low, max_output 50 }
attribute channel is one of [chat, email], from header "x-channel", default chat
define paying as plan is pro
template sorry "Wir sind überlastet 𝄞."

# Tags are cheap.
rule tags {
  because "A late tag is worthless."
  when feature is tag
  tier            small
  snapshot        openai/gpt-5.4-mini-2026-03-17, timeout 3s, retry 0
  fallback peer   mistral/mistral-small-2603, timeout 3s
  degrade         template sorry
}

rule paying_chat {
  when paying and channel is chat
  tier            mid
  snapshot        anthropic/claude-sonnet-5, timeout 12s
  fallback peer   openai/gpt-5.4-2026-03-05, timeout 10s
  degrade         template sorry
}

otherwise {
  tier            small
  degrade         template sorry
}
"#;

pub const DESK_TEST: &str = r#"route 1
use "desk.route"

test "a tag is cheap" {
  request { plan pro, feature tag, prompt_tokens 400 }
  expect rule tags
  expect tier small
}
"#;

/// The files above, as a workspace.
pub fn desk() -> client::Place {
    client::Place::with(&[("models.route", MODELS), ("desk.route", DESK), ("desk.test.route", DESK_TEST)])
}
