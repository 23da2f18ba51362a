//! How the answer is made: its length, its randomness, the thinking before it, its shape.
//!
//! In: a conversation's settings. Out: `inferenceConfig`, `outputConfig`, `additionalModelRequestFields`, `requestMetadata`.
//! Must not know: messages, tools.

use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{Conversation, Effort, Field, Format, Notes, Target, Thinking};
use crate::json::write::Object;
use crate::json::{Quoted, Raw};

use super::is_claude;

/// Longest value of `requestMetadata`, in bytes.
const MAX_METADATA: usize = 256;

/// What can be said about the answer, decided before a byte is written.
pub(super) struct Settings<'s> {
    cap: Option<u64>,
    temperature: Option<&'s str>,
    top_p: Option<&'s str>,
    stop: Vec<&'s Quoted<'s>>,
    /// Claude's own fields.
    top_k: Option<&'s str>,
    thinking: Option<Thinking>,
    effort: Option<Effort>,
    schema: Option<Schema<'s>>,
    user: Option<&'s Quoted<'s>>,
}

struct Schema<'s> {
    name: Option<&'s Quoted<'s>>,
    description: Option<&'s Quoted<'s>>,
    schema: &'s Raw<'s>,
}

impl<'s> Settings<'s> {
    /// Of a conversation.
    ///
    /// # Errors
    /// The refusal of what the target cannot carry.
    pub(super) fn of(
        conversation: &'s Conversation<'s>,
        target: &Target<'_>,
        notes: &mut Notes,
    ) -> Result<Self, BadBody> {
        let sampling = &conversation.sampling;
        let mut plan = Plan { conversation, target, notes };
        let temperature = plan.drawn(Field::Temperature, sampling.temperature.as_ref())?;
        let top_p = plan.drawn(Field::TopP, sampling.top_p.as_ref())?;
        let top_k = plan.top_k(sampling.top_k.as_ref())?;
        for (field, number) in [
            (Field::FrequencyPenalty, &sampling.frequency_penalty),
            (Field::PresencePenalty, &sampling.presence_penalty),
        ] {
            if number.as_ref().and_then(value).is_some_and(|penalty| penalty != 0.0) {
                plan.leave_out(field, "knows no penalties")?;
            }
        }
        if sampling.seed.is_some() {
            plan.leave_out(Field::Seed, "takes no seed")?;
        }
        let (thinking, effort) = plan.thinking()?;
        let schema = plan.schema()?;
        Ok(Self {
            cap: target.cap(conversation.max_output),
            temperature,
            top_p,
            stop: conversation.stop.iter().filter(|text| !text.is_empty()).collect(),
            top_k,
            thinking,
            effort,
            schema,
            user: conversation.user.as_ref().filter(|user| is_metadata(&user.decode())),
        })
    }

    /// Writes the members.
    pub(super) fn write(&self, o: &mut Object<'_>) {
        let inference =
            self.cap.is_some() || self.temperature.is_some() || self.top_p.is_some() || !self.stop.is_empty();
        if inference {
            o.object("inferenceConfig", |o| self.inference(o));
        }
        if self.schema.is_some() || self.effort.is_some() {
            o.object("outputConfig", |o| self.output(o));
        }
        if self.top_k.is_some() || self.thinking.is_some() {
            o.object("additionalModelRequestFields", |o| self.additional(o));
        }
        if let Some(user) = self.user {
            o.object("requestMetadata", |o| o.quoted("user", user));
        }
    }

    fn inference(&self, o: &mut Object<'_>) {
        if let Some(cap) = self.cap {
            o.number("maxTokens", cap);
        }
        for (name, number) in [("temperature", self.temperature), ("topP", self.top_p)] {
            if let Some(number) = number {
                o.member(name).extend_from_slice(number.as_bytes());
            }
        }
        if !self.stop.is_empty() {
            o.array("stopSequences", |list| self.stop.iter().for_each(|text| list.quoted(text)));
        }
    }

    fn output(&self, o: &mut Object<'_>) {
        if let Some(effort) = self.effort {
            o.text("effort", effort.word());
        }
        let Some(schema) = &self.schema else { return };
        o.object("textFormat", |o| {
            o.text("type", "json_schema");
            o.object("structure", |o| {
                o.object("jsonSchema", |o| {
                    o.text("schema", &schema.schema.0);
                    if let Some(name) = schema.name {
                        o.quoted("name", name);
                    }
                    if let Some(description) = schema.description {
                        o.quoted("description", description);
                    }
                });
            });
        });
    }

    fn additional(&self, o: &mut Object<'_>) {
        if let Some(top_k) = self.top_k {
            o.member("top_k").extend_from_slice(top_k.as_bytes());
        }
        let Some(thinking) = self.thinking else { return };
        o.object("thinking", |o| match thinking {
            Thinking::Budget(tokens) => {
                o.text("type", "enabled");
                o.number("budget_tokens", tokens);
            }
            Thinking::Adaptive => o.text("type", "adaptive"),
            Thinking::Effort(_) => o.text("type", "disabled"),
        });
    }
}

struct Plan<'p, 's, 't> {
    conversation: &'s Conversation<'s>,
    target: &'p Target<'t>,
    notes: &'p mut Notes,
}

impl<'s> Plan<'_, 's, '_> {
    fn leave_out(&mut self, field: Field, why: &str) -> Result<(), BadBody> {
        self.conversation.drop_or_refuse(field, self.target, self.notes, why)
    }

    /// `temperature` or `top_p`: 0 to 1 here, never rescaled.
    fn drawn(&mut self, field: Field, number: Option<&'s Raw<'s>>) -> Result<Option<&'s str>, BadBody> {
        let Some(number) = number else { return Ok(None) };
        let asked = value(number);
        if self.target.able.sampling_params == Some(false) {
            // The usual value says nothing.
            if asked != Some(1.0) {
                self.leave_out(field, "draws its tokens its own way")?;
            }
            return Ok(None);
        }
        if asked.is_none_or(|asked| asked <= 1.0) {
            return Ok(Some(&number.0));
        }
        let name = field.of(self.conversation.from);
        if !self.target.lenient {
            return Err(self.conversation.refuse(field, self.target, "takes at most 1 of it"));
        }
        self.notes.adapted.push(format!("{name} {}->1", number.0).into());
        Ok(Some("1"))
    }

    fn top_k(&mut self, number: Option<&'s Raw<'s>>) -> Result<Option<&'s str>, BadBody> {
        let Some(number) = number else { return Ok(None) };
        if is_claude(self.target.model) && self.target.able.sampling_params != Some(false) {
            return Ok(Some(&number.0));
        }
        self.leave_out(Field::TopK, "has no field for it").map(|()| None)
    }

    fn thinking(&mut self) -> Result<(Option<Thinking>, Option<Effort>), BadBody> {
        let Some(asked) = self.conversation.thinking else { return Ok((None, None)) };
        let able = self.target.able;
        let claude = is_claude(self.target.model);
        let nothing = (None, None);
        match asked {
            Thinking::Effort(Effort::None) if able.reasoning == Some(false) => Ok(nothing),
            Thinking::Effort(Effort::None) if able.thinking_always_on == Some(true) => {
                if !self.target.lenient {
                    let why = "cannot be kept from thinking";
                    return Err(self.conversation.refuse(Field::Thinking, self.target, why));
                }
                Ok((None, Some(self.instead(Effort::None, Effort::Low))))
            }
            Thinking::Effort(Effort::None) if claude => Ok((Some(asked), None)),
            Thinking::Effort(effort) => self.effort(effort),
            // As much as it finds right is what a model does that is told nothing.
            Thinking::Adaptive if !claude || able.adaptive_thinking != Some(true) => Ok(nothing),
            Thinking::Budget(_) if !claude || able.adaptive_thinking == Some(true) => {
                self.leave_out(Field::Thinking, "takes no number of tokens to think").map(|()| nothing)
            }
            Thinking::Adaptive | Thinking::Budget(_) => Ok((Some(asked), None)),
        }
    }

    fn effort(&mut self, asked: Effort) -> Result<(Option<Thinking>, Option<Effort>), BadBody> {
        let able = self.target.able;
        let takes = able.efforts.takes(asked.word());
        // Claudes that do not decide themselves how much to think are told it in tokens.
        let words = able.reasoning != Some(false)
            && (!is_claude(self.target.model) || able.adaptive_thinking == Some(true) || takes == Some(true));
        if words && asked == Effort::Minimal && takes != Some(true) {
            return Ok((None, Some(self.instead(asked, Effort::Low))));
        }
        if !words || takes == Some(false) {
            let why = format!("cannot be told to think with effort '{}'", asked.word());
            self.leave_out(Field::Thinking, &why)?;
            return Ok((None, None));
        }
        Ok((None, Some(asked)))
    }

    fn instead(&mut self, asked: Effort, nearest: Effort) -> Effort {
        let name = Field::Thinking.of(self.conversation.from);
        self.notes.adapted.push(format!("{name} {}->{}", asked.word(), nearest.word()).into());
        nearest
    }

    fn schema(&mut self) -> Result<Option<Schema<'s>>, BadBody> {
        let refused = |why| Err(self.conversation.refuse(Field::Format, self.target, why));
        match &self.conversation.format {
            None | Some(Format::Text) => Ok(None),
            Some(Format::JsonObject) => refused("promises JSON only for a schema"),
            Some(Format::Schema { .. }) if self.target.able.json_schema == Some(false) => {
                refused("holds its answers against no schema")
            }
            Some(Format::Schema { name, description, schema, .. }) => {
                Ok(Some(Schema { name: name.as_ref(), description: description.as_ref(), schema }))
            }
        }
    }
}

fn value(number: &Raw<'_>) -> Option<f64> {
    number.0.parse().ok()
}

/// What the provider takes as a value of `requestMetadata`. A user with other characters is a hint that is left out.
fn is_metadata(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " :_@$#=/+,-.".contains(c);
    !text.is_empty() && text.len() <= MAX_METADATA && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_told_to_the_limit_and_not_with_odd_characters() {
        assert!(is_metadata(&"u".repeat(MAX_METADATA)) && is_metadata("a:b@c"));
        assert!(!is_metadata(&"u".repeat(MAX_METADATA + 1)) && !is_metadata("ü") && !is_metadata(""));
    }
}
