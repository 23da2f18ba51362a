//! How much to think, in the two ways that models of this dialect are told.
//!
//! In: what was asked for, what the model can do. Out: `thinking` and `output_config.effort`, or a refusal. Must not know:
//! bodies.
//!
//! Newer models decide themselves how much they think and take a word for it; those before them take a number of tokens, which
//! is part of the answer's cap (dialects.md, section 2.6).

use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{Conversation, Effort, Field, Notes, Target, Thinking};

/// The least that a model thinks when it is told in tokens.
pub(super) const MIN_BUDGET: u64 = 1024;

/// What is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) kind: Option<Kind>,
    /// `output_config.effort`
    pub(super) effort: Option<Effort>,
}

/// `thinking`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Disabled,
    Adaptive,
    Budget(u64),
}

impl Told {
    /// The model thinks because it was told to.
    pub(super) const fn on(self) -> bool {
        matches!(self.kind, Some(Kind::Adaptive | Kind::Budget(_)))
    }
}

/// `cap` is what the answer may use, thinking included.
pub(super) fn told(said: &Conversation<'_>, target: &Target<'_>, cap: u64, notes: &mut Notes) -> Result<Told, BadBody> {
    let Some(asked) = said.thinking else { return Ok(Told::default()) };
    let able = target.able;
    if asked == Thinking::Effort(Effort::None) {
        return off(said, target, notes);
    }
    if able.reasoning == Some(false) {
        said.drop_or_refuse(Field::Thinking, target, notes, "does not think before it answers")?;
        return Ok(Told::default());
    }
    // A row that speaks of thinking says whether the model decides itself; of an unknown model, the newer way is assumed.
    if able.adaptive_thinking == Some(true) || able.adaptive_thinking.is_none() && able.reasoning.is_none() {
        let effort = match asked {
            Thinking::Effort(effort) => Some(taken(effort, said, target, notes)?),
            Thinking::Adaptive => None,
            Thinking::Budget(tokens) => {
                adapted(said, notes, &tokens.to_string(), "adaptive");
                None
            }
        };
        return Ok(Told { kind: Some(Kind::Adaptive), effort });
    }
    let most = cap.saturating_sub(1);
    if most < MIN_BUDGET {
        let why = "takes no less than 1024 tokens of thinking, which must be less than the answer may have";
        said.drop_or_refuse(Field::Thinking, target, notes, why)?;
        return Ok(Told::default());
    }
    let (asked, wanted) = match asked {
        Thinking::Budget(tokens) => (tokens.to_string(), tokens),
        Thinking::Effort(effort) => (effort.word().to_owned(), cap / 8 * eighths(effort)),
        Thinking::Adaptive => ("adaptive".to_owned(), cap / 2),
    };
    let budget = wanted.clamp(MIN_BUDGET, most);
    if asked != budget.to_string() {
        adapted(said, notes, &asked, &format!("{budget} tokens"));
    }
    Ok(Told { kind: Some(Kind::Budget(budget)), effort: None })
}

fn off(said: &Conversation<'_>, target: &Target<'_>, notes: &mut Notes) -> Result<Told, BadBody> {
    match target.able {
        able if able.thinking_always_on == Some(true) => {
            if !target.lenient {
                return Err(said.refuse(Field::Thinking, target, "cannot be kept from thinking"));
            }
            adapted(said, notes, "none", "low");
            Ok(Told { kind: None, effort: Some(Effort::Low) })
        }
        // It does not think unless it is told to.
        able if able.reasoning == Some(false) => Ok(Told::default()),
        _ => Ok(Told { kind: Some(Kind::Disabled), effort: None }),
    }
}

/// The word itself, or the next below it that the model takes.
fn taken(asked: Effort, said: &Conversation<'_>, target: &Target<'_>, notes: &mut Notes) -> Result<Effort, BadBody> {
    let efforts = target.able.efforts;
    // `minimal` is no word of this dialect.
    let words =
        Effort::ALL.into_iter().filter(|word| *word >= Effort::Low && efforts.takes(word.word()) != Some(false));
    let word = words.clone().rfind(|word| *word <= asked).or_else(|| words.clone().next());
    let Some(word) = word else {
        return Err(said.refuse(Field::Thinking, target, "takes no word for how much to think"));
    };
    if word != asked {
        adapted(said, notes, asked.word(), word.word());
    }
    Ok(word)
}

/// Of a cap, for models that are told in tokens.
const fn eighths(effort: Effort) -> u64 {
    match effort {
        Effort::None | Effort::Minimal => 1,
        Effort::Low => 2,
        Effort::Medium => 4,
        Effort::High => 6,
        Effort::XHigh | Effort::Max => 7,
    }
}

fn adapted(said: &Conversation<'_>, notes: &mut Notes, from: &str, to: &str) {
    notes.adapted.push(format!("{} {from}->{to}", Field::Thinking.of(said.from)).into());
}
