//! What of a conversation a Chat Completions target can be asked for.
//!
//! In: a conversation and its target. Out: the values to write, or a refusal; what was left out or changed is noted. Must not
//! know: how any of it is written.

use super::strict::Strict;
use crate::dialect::Dialect;
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{
    Conversation, Effort, Field, Format, Media, MediaKind, Notes, Once, Part, Role, Source, Target, Thinking, ToolMode,
    Turn,
};
use crate::json::Raw;

/// Texts that end an answer, as many as the API takes.
pub const MAX_STOP: usize = 4;
/// Tokens of thinking up to which an effort is low; our own figures, since no provider says what an effort costs.
pub const LOW_BUDGET: u64 = 2_048;
/// The same for a medium one.
pub const MEDIUM_BUDGET: u64 = 8_192;

/// Values that a target takes.
#[derive(Debug, Default)]
pub(super) struct Fit {
    pub cap: Option<u64>,
    pub effort: Option<Effort>,
    /// Write numbers for drawing tokens.
    pub sampling: bool,
    /// Write that a function must be called.
    pub forced: bool,
    /// What `strict` says.
    pub strict: Strict,
}

/// Holds everything against the target.
pub(super) fn fit(conversation: &Conversation<'_>, target: &Target<'_>, notes: &mut Notes) -> Result<Fit, BadBody> {
    conversation.leave_out_extras(Dialect::Chat, target, notes)?;
    if conversation.choices > 1 && conversation.from != Dialect::Chat {
        return Err(conversation.refuse(Field::Choices, target, "gives one answer to a request in another API"));
    }
    turns(conversation, target, notes)?;
    let fit = Fit {
        cap: cap(conversation, target, notes),
        effort: effort(conversation, target, notes)?,
        sampling: sampling(conversation, target, notes)?,
        forced: forced(conversation, target, notes)?,
        strict: Strict::of(conversation, notes),
    };
    if conversation.sampling.top_k.is_some() {
        conversation.drop_or_refuse(Field::TopK, target, notes, "draws from all tokens, not from the likeliest")?;
    }
    if conversation.stop.len() > MAX_STOP {
        let why = format!("takes at most {MAX_STOP} texts that end an answer");
        return Err(conversation.refuse(Field::Stop, target, &why));
    }
    // OpenAI's own models that think; those of other servers, which write the cap as `max_tokens`, take it.
    if !conversation.stop.is_empty() && target.able.reasoning == Some(true) && target.output_cap != "max_tokens" {
        return Err(conversation.refuse(Field::Stop, target, "thinks, and takes no texts that end an answer"));
    }
    if matches!(conversation.format, Some(Format::Schema { .. })) && target.able.json_schema == Some(false) {
        return Err(conversation.refuse(Field::Format, target, "cannot be held to a JSON schema"));
    }
    if !conversation.tools.is_empty() && target.able.tools == Some(false) {
        return Err(conversation.refuse(Field::Tools, target, "calls no functions"));
    }
    Ok(fit)
}

pub(in crate::dialect) fn cap(conversation: &Conversation<'_>, target: &Target<'_>, notes: &mut Notes) -> Option<u64> {
    let cap = target.cap(conversation.max_output)?;
    let most = target.model_max_output.unwrap_or(u64::MAX);
    if cap > most {
        notes.adapted.push(format!("{} {cap}->{most}", Field::MaxOutput.of(conversation.from)).into());
    }
    Some(cap.min(most))
}

pub(in crate::dialect) fn effort(
    conversation: &Conversation<'_>,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Option<Effort>, BadBody> {
    let Some(thinking) = conversation.thinking else { return Ok(None) };
    if target.able.reasoning == Some(false) {
        if thinking != Thinking::Effort(Effort::None) && thinking != Thinking::Adaptive {
            conversation.drop_or_refuse(Field::Thinking, target, notes, "does not think before it answers")?;
        }
        return Ok(None);
    }
    let wanted = match thinking {
        Thinking::Adaptive => return Ok(None),
        Thinking::Effort(effort) => effort,
        Thinking::Budget(0) => Effort::None,
        Thinking::Budget(..=LOW_BUDGET) => Effort::Low,
        Thinking::Budget(..=MEDIUM_BUDGET) => Effort::Medium,
        Thinking::Budget(_) => Effort::High,
    };
    let Some(effort) = nearest(wanted, target) else {
        conversation.drop_or_refuse(Field::Thinking, target, notes, "cannot be told how much to think")?;
        return Ok(None);
    };
    let field = Field::Thinking.of(conversation.from);
    match thinking {
        Thinking::Budget(budget) => notes.adapted.push(format!("{field} {budget}->{}", effort.word()).into()),
        _ if effort != wanted => notes.adapted.push(format!("{field} {}->{}", wanted.word(), effort.word()).into()),
        _ => {}
    }
    Ok(Some(effort))
}

/// The effort itself, unless the model refuses it; then the next one below that it takes, else the next one above.
///
/// Of a model of which some words are known, the usual three are taken and the others refused until the catalog says otherwise.
fn nearest(wanted: Effort, target: &Target<'_>) -> Option<Effort> {
    let told = |effort: Effort| target.able.efforts.takes(effort.word());
    let known = Effort::ALL.into_iter().any(|effort| told(effort).is_some());
    let usual = |effort| !known || matches!(effort, Effort::Low | Effort::Medium | Effort::High);
    let takes = |effort: &Effort| told(*effort).unwrap_or_else(|| usual(*effort));
    let below = Effort::ALL.into_iter().rev().filter(|effort| *effort <= wanted).find(takes);
    below.or_else(|| Effort::ALL.into_iter().filter(|effort| *effort > wanted).find(takes))
}

fn sampling(conversation: &Conversation<'_>, target: &Target<'_>, notes: &mut Notes) -> Result<bool, BadBody> {
    if target.able.sampling_params != Some(false) {
        return Ok(true);
    }
    let sampling = &conversation.sampling;
    let fields = [
        (&sampling.temperature, Field::Temperature, 1.0),
        (&sampling.top_p, Field::TopP, 1.0),
        (&sampling.frequency_penalty, Field::FrequencyPenalty, 0.0),
        (&sampling.presence_penalty, Field::PresencePenalty, 0.0),
    ];
    for (value, field, usual) in fields {
        let is_usual = |value: &Raw<'_>| value.0.parse::<f64>().is_ok_and(|number| number == usual);
        if value.as_ref().is_some_and(|value| !is_usual(value)) {
            conversation.drop_or_refuse(field, target, notes, "draws tokens in one way only")?;
        }
    }
    Ok(false)
}

pub(in crate::dialect) fn forced(
    conversation: &Conversation<'_>,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<bool, BadBody> {
    let forced = conversation.tool_choice.as_ref().is_some_and(|choice| choice.mode == ToolMode::Required);
    if !forced || target.able.forced_tool_choice != Some(false) {
        return Ok(forced);
    }
    let field = Field::ToolChoice.of(conversation.from);
    if !target.lenient {
        return Err(conversation.refuse(Field::ToolChoice, target, "cannot be made to call a function"));
    }
    notes.adapted.push(format!("{field} required->auto").into());
    Ok(false)
}

fn turns(conversation: &Conversation<'_>, target: &Target<'_>, notes: &mut Notes) -> Result<(), BadBody> {
    let mut once = Once::default();
    for turn in &conversation.turns {
        if turn.role == Role::System && target.able.mid_conversation_system == Some(false) {
            return Err(conversation.refuse_in_turn(turn.at, target, "takes instructions at the beginning only"));
        }
        for block in &turn.blocks {
            part(&block.part, turn, conversation, target, &mut once)?;
        }
    }
    conversation.begun_as_history(target, notes)?;
    once.note(notes);
    Ok(())
}

fn part(
    part: &Part<'_>,
    turn: &Turn<'_>,
    conversation: &Conversation<'_>,
    target: &Target<'_>,
    once: &mut Once,
) -> Result<(), BadBody> {
    let refuse = |why: &str| Err(conversation.refuse_in_turn(turn.at, target, why));
    match part {
        Part::Text(_) | Part::Refusal(_) | Part::Call(_) => Ok(()),
        Part::Thinking(_) => {
            once.thinking = true;
            Ok(())
        }
        Part::Media(media) if turn.role == Role::User => {
            once.documents |= matches!(media.source, Source::Text(_));
            unfit(media, conversation, target).map_or(Ok(()), refuse)
        }
        Part::Media(_) => refuse("takes images and files from users only"),
        Part::Result(result) => {
            once.errors |= result.error;
            for inner in &result.parts {
                if let Part::Media(media) = inner {
                    let text = matches!(media.source, Source::Text(_));
                    if !target.lenient && !text {
                        return refuse("takes only text as the result of a function");
                    }
                    once.documents |= text;
                    once.moved |= !text;
                    unfit(media, conversation, target).map_or(Ok(()), refuse)?;
                }
            }
            Ok(())
        }
    }
}

/// Why the target cannot take it, if it cannot.
fn unfit(media: &Media<'_>, conversation: &Conversation<'_>, target: &Target<'_>) -> Option<&'static str> {
    let able = &target.able;
    match (media.kind, &media.source) {
        (_, Source::File(_)) if conversation.from != Dialect::Chat => {
            Some("cannot read files kept by another provider")
        }
        (MediaKind::Image, _) if able.vision == Some(false) => Some("takes no images"),
        (MediaKind::Audio, _) if able.audio_input == Some(false) => Some("takes no sound"),
        (MediaKind::Audio, Source::Inline { mime, .. }) if super::history::sound(mime).is_none() => {
            Some("takes sound as WAV and MP3 only")
        }
        (MediaKind::Audio, Source::Url(_)) => Some("takes no sound by URL"),
        (MediaKind::Video, _) => Some("takes no video"),
        (MediaKind::Document, Source::Url(_)) => Some("takes no documents by URL"),
        (MediaKind::Document, Source::Inline { mime, .. }) if mime == "application/pdf" && able.pdf == Some(false) => {
            Some("takes no PDF files")
        }
        (MediaKind::Image | MediaKind::Audio, Source::File(_)) => Some("takes images and sound in the request only"),
        _ => None,
    }
}
