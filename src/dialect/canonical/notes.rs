//! What became of a request on its way into another dialect.
//!
//! In: what a writer could not carry. Out: [`Notes`] for the response headers, or a refusal. Must not know: headers.

use std::borrow::Cow;

use super::{Conversation, Fate, Field, Role, Target};
use crate::dialect::Dialect;
use crate::dialect::bad_body::BadBody;

/// A request in the target's dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its body.
    pub body: Vec<u8>,
    /// What it does not say any more, or says otherwise.
    pub notes: Notes,
}

/// What was left out and what was changed, each named as the caller wrote it. Bounded by what a request may hold; headers show
/// the first ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Left out: `seed`, `logit_bias`.
    pub dropped: Vec<Cow<'static, str>>,
    /// Changed: `max_tokens none->8192`.
    pub adapted: Vec<Cow<'static, str>>,
}

/// What is noted once for a request, however often its turns have it.
#[derive(Default)]
pub struct Once {
    /// What models thought was left out.
    pub thinking: bool,
    /// That a tool failed is said in words.
    pub errors: bool,
    /// Documents that are texts go as texts.
    pub documents: bool,
    /// Media that a tool gave come after its result.
    pub moved: bool,
}

impl Once {
    /// Says it.
    pub fn note(self, notes: &mut Notes) {
        if self.thinking {
            notes.dropped.push("reasoning".into());
        }
        let adapted = [
            (self.errors, "failed tool results->text"),
            (self.documents, "text documents->text"),
            (self.moved, "media of tool results->user message"),
        ];
        notes.adapted.extend(adapted.into_iter().filter(|(is, _)| *is).map(|(_, words)| words.into()));
    }
}

/// The stable word of every refusal of this kind.
pub const UNSUPPORTED: &str = "unsupported_by_target";

impl Conversation<'_> {
    /// A field that the target cannot carry at all.
    ///
    /// `why` completes "the model `M`, which would answer, …": `takes no images by URL`.
    pub fn refuse(&self, field: Field, target: &Target<'_>, why: &str) -> BadBody {
        refusal(field.of(self.from), target, why)
    }

    /// The same for something inside the turn with this place, which is named with it.
    pub fn refuse_in_turn(&self, at: usize, target: &Target<'_>, why: &str) -> BadBody {
        refusal(&format!("{}[{at}]", Field::Turns.of(self.from)), target, why)
    }

    /// The beginning of an answer, in the turn with this place, that the target would not go on with but answer.
    ///
    /// # Errors
    /// The refusal, unless the configuration is lenient.
    pub fn prefill_as_history(&self, at: usize, target: &Target<'_>, notes: &mut Notes) -> Result<(), BadBody> {
        if !target.lenient {
            return Err(self.refuse_in_turn(at, target, "cannot go on with an answer that has begun"));
        }
        notes.adapted.push(format!("{}[{at}] prefill->history", Field::Turns.of(self.from)).into());
        Ok(())
    }

    /// The same for OpenAI's APIs, none of which goes on with an answer: only other callers mean that by ending with one.
    ///
    /// # Errors
    /// The refusal, unless the configuration is lenient.
    pub fn begun_as_history(&self, target: &Target<'_>, notes: &mut Notes) -> Result<(), BadBody> {
        match self.turns.last() {
            Some(last) if last.role == Role::Assistant && matches!(self.from, Dialect::Messages | Dialect::Gemini) => {
                self.prefill_as_history(last.at, target, notes)
            }
            _ => Ok(()),
        }
    }

    /// A field that may be left out where the configuration says so; refused otherwise.
    ///
    /// # Errors
    /// The refusal.
    pub fn drop_or_refuse(
        &self,
        field: Field,
        target: &Target<'_>,
        notes: &mut Notes,
        why: &str,
    ) -> Result<(), BadBody> {
        leave_out(field.of(self.from), Fate::Dropped, target, notes, why)
    }

    /// What only the caller's dialect can say, or OpenAI's two alone. Every writer of another dialect begins with this.
    ///
    /// # Errors
    /// The refusal of the first extra that may not be left out.
    pub fn leave_out_extras(&self, to: Dialect, target: &Target<'_>, notes: &mut Notes) -> Result<(), BadBody> {
        let why = "cannot be told this in its own API";
        if !matches!(to, Dialect::Chat | Dialect::Responses) {
            if let Some(logprobs) = &self.logprobs {
                return Err(refusal(&logprobs.param, target, why));
            }
            // What a model does when nothing is said.
            if self.verbosity.as_ref().is_some_and(|word| word.written() != "medium") {
                leave_out(Field::Verbosity.of(self.from), Fate::Dropped, target, notes, why)?;
            }
        }
        self.extras.iter().try_for_each(|extra| leave_out(&extra.param, extra.fate, target, notes, why))
    }
}

fn leave_out(param: &str, fate: Fate, target: &Target<'_>, notes: &mut Notes, why: &str) -> Result<(), BadBody> {
    match fate {
        Fate::Silent => Ok(()),
        Fate::Dropped if target.lenient => {
            notes.dropped.push(param.to_owned().into());
            Ok(())
        }
        Fate::Dropped | Fate::Refused => Err(refusal(param, target, why)),
    }
}

fn refusal(param: &str, target: &Target<'_>, why: &str) -> BadBody {
    let model = target.model;
    let message = format!("'{param}' cannot be sent on: the model '{model}', which would answer, {why}. Leave it out.");
    BadBody::at(param, UNSUPPORTED, message)
}
