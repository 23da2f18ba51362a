//! What an id's spelling says about it, provider by provider, from their documentation as of 2026-11.
//!
//! In: a kind of provider, an id, and the ids beside it. Out: its shape, or nothing when no rule knows it. Must not know: dates
//! of today, policies. The catalog is asked first; these rules are for ids it lacks, and every row of it must agree with them.

use std::borrow::Cow;

use super::entry::{Kind, Pin};
use super::row::Day;

/// The kinds of provider whose naming rules differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProviderKind {
    /// `api.openai.com`
    OpenAi,
    /// Azure OpenAI and Foundry: a policy names model and version, never a deployment.
    Azure,
    /// `api.anthropic.com`
    Anthropic,
    /// Gemini API
    Google,
    /// Google Cloud
    Vertex,
    /// `api.mistral.ai`
    Mistral,
    /// Amazon Bedrock
    Bedrock,
    /// `api.x.ai`
    Xai,
    /// `api.deepseek.com`
    DeepSeek,
    /// `api.cohere.com`
    Cohere,
    /// `api.groq.com`
    Groq,
    /// Runs where the operator says; the part after the last `@` is the revision.
    SelfHosted,
    /// Any other host: only the catalog and its overlay know its ids.
    Other,
}

impl ProviderKind {
    /// The kind of a provider that nothing else describes, by its name.
    pub fn of_name(provider: &str) -> Option<Self> {
        Some(match provider {
            "openai" => Self::OpenAi,
            "azure" => Self::Azure,
            "anthropic" => Self::Anthropic,
            "google" => Self::Google,
            "vertex" => Self::Vertex,
            "mistral" => Self::Mistral,
            "bedrock" => Self::Bedrock,
            "xai" => Self::Xai,
            "deepseek" => Self::DeepSeek,
            "cohere" => Self::Cohere,
            "groq" => Self::Groq,
            _ => return None,
        })
    }
}

/// What a spelling says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// One model, or a name that moves.
    pub kind: Kind,
    /// How far it is fixed.
    pub pin: Pin,
    /// A word in the id says that it moves (`-latest`), so no catalog is needed to know.
    pub moving_word: bool,
}

impl Shape {
    const fn fixed(pin: Pin) -> Self {
        Self { kind: Kind::Snapshot, pin, moving_word: false }
    }
    const MOVING: Self = Self { kind: Kind::Alias, pin: Pin::Moving, moving_word: false };
}

/// Answers whether an id that begins like this one, with the given rest behind a `-`, is published beside it.
pub type Sibling<'a> = &'a dyn Fn(&dyn Fn(&str) -> bool) -> bool;

/// What the spelling of `id` says; `sibling` looks at the provider's other ids that begin with `id-`.
pub fn shape(kind: ProviderKind, id: &str, sibling: Sibling<'_>) -> Option<Shape> {
    if kind == ProviderKind::SelfHosted {
        let (_, revision) = id.rsplit_once('@')?;
        return Some(if is_moving_tag(revision) {
            Shape { moving_word: true, ..Shape::MOVING }
        } else {
            Shape::fixed(Pin::Numbered)
        });
    }
    if has_moving_word(id) {
        return Some(Shape { moving_word: true, ..Shape::MOVING });
    }
    match kind {
        ProviderKind::OpenAi => Some(openai(id, sibling)),
        ProviderKind::Azure => (ends_in_date(id) || ends_in_old_date(id)).then_some(Shape::fixed(Pin::Dated)),
        ProviderKind::Anthropic => anthropic(id),
        ProviderKind::Google => google(id, sibling),
        ProviderKind::Vertex => vertex(id, sibling),
        ProviderKind::Mistral => Some(mistral(id, sibling)),
        ProviderKind::Bedrock => bedrock(id),
        ProviderKind::Xai => {
            Some(if id.split('-').skip(1).any(is_month_day) { Shape::fixed(Pin::Dated) } else { Shape::MOVING })
        }
        ProviderKind::DeepSeek => Some(deepseek(id)),
        ProviderKind::Cohere => Some(cohere(id)),
        ProviderKind::Groq => {
            let dated = last_part(id).is_some_and(is_month_day);
            Some(Shape::fixed(if dated { Pin::Dated } else { Pin::UndatedUnconfirmed }))
        }
        ProviderKind::SelfHosted | ProviderKind::Other => None,
    }
}

/// Tags of a container or model registry that are moved to newer builds by custom.
const MOVING_TAGS: [&str; 18] = [
    "latest",
    "main",
    "master",
    "head",
    "HEAD",
    "trunk",
    "default",
    "dev",
    "develop",
    "edge",
    "nightly",
    "stable",
    "current",
    "release",
    "prod",
    "production",
    "staging",
    "test",
];

/// Whether a self-hosted model's revision is a tag that moves.
pub fn is_moving_tag(revision: &str) -> bool {
    revision.is_empty() || MOVING_TAGS.contains(&revision)
}

fn has_moving_word(id: &str) -> bool {
    id.split('-').any(|part| part == "latest")
        || ["-nightly", "@default", "@latest", ":latest", "$LATEST"].iter().any(|end| id.ends_with(end))
}

/// Undated OpenAI ids became aliases of dated ones until mid-2026; since then models have no dated id at all, and the bare name
/// is all there is. A dated sibling therefore decides.
fn openai(id: &str, sibling: Sibling<'_>) -> Shape {
    if ends_in_date(id) || ends_in_old_date(id) {
        return Shape::fixed(Pin::Dated);
    }
    if let Some(rest) = last_part(id).and_then(|part| part.strip_prefix('v'))
        && is_digits(rest)
    {
        return Shape::fixed(Pin::Numbered);
    }
    // Documented as routing to another id although no dated sibling says so.
    const ALIASES: [&str; 3] = ["gpt-4-turbo-preview", "gpt-5-chat", "gpt-5.6"];
    let dated = |rest: &str| Day::parse(rest).is_some() || old_date(rest.split('-'));
    if ALIASES.contains(&id) || sibling(&dated) { Shape::MOVING } else { Shape::fixed(Pin::UndatedUnconfirmed) }
}

/// `-2026-03-05` at the end.
fn ends_in_date(id: &str) -> bool {
    id.len()
        .checked_sub(11)
        .and_then(|at| id.get(at..))
        .and_then(|tail| tail.strip_prefix('-'))
        .is_some_and(|date| Day::parse(date).is_some())
}

/// OpenAI's dates without a year: a closed list, so that other four-digit tails are not read as dates.
const OLD_DATES: [&str; 5] = ["0301", "0314", "0613", "0125", "1106"];

fn ends_in_old_date(id: &str) -> bool {
    let from = id.match_indices('-').find(|(at, _)| {
        let part = id[at + 1..].split('-').next().unwrap_or("");
        OLD_DATES.contains(&part)
    });
    from.is_some_and(|(at, _)| old_date(id[at + 1..].split('-')))
}

fn old_date<'a>(mut parts: impl Iterator<Item = &'a str>) -> bool {
    if !parts.next().is_some_and(|part| OLD_DATES.contains(&part)) {
        return false;
    }
    let rest = (parts.next(), parts.next(), parts.next());
    matches!(rest, (None, ..) | (Some("preview"), None, _) | (Some("vision"), Some("preview"), None))
}

/// From 4.6 on, Anthropic documents an undated id as one model; below, it follows the newest dated one.
fn anthropic(id: &str) -> Option<Shape> {
    if last_part(id).is_some_and(is_full_date) {
        return Some(Shape::fixed(Pin::Dated));
    }
    if let Some(version) = id.strip_prefix("claude-instant-").or_else(|| id.strip_prefix("claude-")) {
        let version = version.strip_suffix("-100k").unwrap_or(version).as_bytes();
        if matches!(version, [b'1' | b'2', b'.', minor] if minor.is_ascii_digit()) {
            return Some(Shape::fixed(Pin::Numbered));
        }
    }
    if let Some(version) = claude_version(id) {
        return Some(if version >= (4, 6) { Shape::fixed(Pin::UndatedDocumented) } else { Shape::MOVING });
    }
    (id.starts_with("claude-") && id.ends_with("-preview")).then_some(Shape::fixed(Pin::UndatedUnconfirmed))
}

/// `claude-<name>-<major>` or `claude-<name>-<major>-<minor>`, the minor of one or two digits, so that a date is never one.
fn claude_version(id: &str) -> Option<(u32, u32)> {
    let mut parts = id.strip_prefix("claude-")?.split('-');
    let name = parts.next()?;
    let major = parts.next()?;
    let minor = parts.next();
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
    let short = |part: &str| is_digits(part) && part.len() <= 2;
    if !plain || !short(major) || !minor.is_none_or(short) || parts.next().is_some() {
        return None;
    }
    Some((major.parse().ok()?, minor.unwrap_or("0").parse().ok()?))
}

fn google(id: &str, sibling: Sibling<'_>) -> Option<Shape> {
    let revision = |part: &str| part.len() == 3 && part.starts_with("00") && is_digits(part);
    if last_part(id).is_some_and(revision) {
        return Some(Shape::fixed(Pin::Numbered));
    }
    if ends_in_month(id) || id.rsplit_once("preview-").is_some_and(|(_, date)| is_short_date(date)) {
        return Some(Shape::fixed(Pin::Dated));
    }
    if !["gemini-", "gemma-", "text-embedding-"].iter().any(|start| id.starts_with(start)) {
        return None;
    }
    if sibling(&revision) {
        return Some(Shape::MOVING);
    }
    let trial = id.contains("preview") || id.contains("-exp");
    Some(Shape::fixed(if trial { Pin::UndatedUnconfirmed } else { Pin::UndatedDocumented }))
}

fn vertex(id: &str, sibling: Sibling<'_>) -> Option<Shape> {
    if let Some((_, date)) = id.rsplit_once('@') {
        return is_full_date(date).then_some(Shape::fixed(Pin::Dated));
    }
    match claude_version(id) {
        Some(version) if version >= (4, 6) => Some(Shape::fixed(Pin::UndatedDocumented)),
        Some(_) => Some(Shape::MOVING),
        None => google(id, sibling),
    }
}

fn mistral(id: &str, sibling: Sibling<'_>) -> Shape {
    let foreign = ["zai-", "glm-", "deepseek-"].iter().any(|start| id.starts_with(start));
    let dated = |part: &str| is_year_month(part) || (foreign && is_month_day(part));
    if last_part(id).is_some_and(dated) {
        return Shape::fixed(Pin::Dated);
    }
    if sibling(&dated) {
        return Shape::MOVING;
    }
    // `mistral-medium-3-5` is a further name of a dated id; other version names (`mistral-large-4-0`) have none.
    let mut tail = id.rsplit('-');
    let versioned = tail.next().is_some_and(is_digits) && tail.next().is_some_and(is_digits);
    if foreign || id.starts_with("open-") || (versioned && !id.starts_with("mistral-medium")) {
        return Shape::fixed(Pin::UndatedUnconfirmed);
    }
    Shape::MOVING
}

/// The prefixes of inference profiles; they choose regions and price, not a version.
const PROFILES: [&str; 9] = ["us-gov.", "us.", "eu.", "apac.", "au.", "jp.", "ca.", "in.", "global."];

/// A Bedrock id without its inference profile; `None` when it has none.
pub fn without_profile(id: &str) -> Option<&str> {
    PROFILES.iter().find_map(|profile| id.strip_prefix(profile))
}

/// An id without what a platform adds to the maker's own: Bedrock's profile, vendor and build, Vertex's `@`.
pub fn model_behind(id: &str) -> Cow<'_, str> {
    let id = without_profile(id).unwrap_or(id);
    let id = ["anthropic.", "openai."].iter().find_map(|vendor| id.strip_prefix(vendor)).unwrap_or(id);
    let build = |last: &str| last.strip_prefix('v').is_some_and(|rest| rest.split(':').all(is_digits));
    let id = match id.rsplit_once('-') {
        Some((model, last)) if build(last) => model,
        _ => id,
    };
    if id.contains('@') { Cow::Owned(id.replace('@', "-")) } else { Cow::Borrowed(id) }
}

fn bedrock(id: &str) -> Option<Shape> {
    let id = without_profile(id).unwrap_or(id);
    // An ARN names something of this account: only an overlay can say what.
    if id.starts_with("arn:") {
        return None;
    }
    let (vendor, model) = id.split_once('.')?;
    let (name, last) = model.rsplit_once('-').unwrap_or(("", model));
    let (version, build) = last.split_once(':').map_or((last, None), |(version, build)| (version, Some(build)));
    let lettered = version.starts_with('v');
    let number = version.strip_prefix('v').unwrap_or(version);
    if is_digits(number) && build.map_or(lettered, is_digits) {
        let dated = lettered && build.is_some() && last_part(name).is_some_and(is_full_date);
        return Some(Shape::fixed(if dated { Pin::Dated } else { Pin::Numbered }));
    }
    match vendor {
        "anthropic" if claude_version(model)? >= (4, 6) => Some(Shape::fixed(Pin::UndatedDocumented)),
        "openai" => Some(Shape::fixed(Pin::UndatedUnconfirmed)),
        _ => None,
    }
}

/// DeepSeek's own API knows service names only; a versioned one is at best unconfirmed.
fn deepseek(id: &str) -> Shape {
    let versioned = id.strip_prefix("deepseek-").is_some_and(|name| {
        name == "r1"
            || name.strip_prefix('v').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    });
    if versioned { Shape::fixed(Pin::UndatedUnconfirmed) } else { Shape::MOVING }
}

fn cohere(id: &str) -> Shape {
    if ends_in_month(id) {
        return Shape::fixed(Pin::Dated);
    }
    let version = |part: &str| {
        let rest = part.strip_prefix('v');
        rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    if id.split('-').skip(1).any(version) { Shape::fixed(Pin::Numbered) } else { Shape::MOVING }
}

/// `-09-2025` at the end.
fn ends_in_month(id: &str) -> bool {
    let mut parts = id.rsplit('-');
    let (year, month) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    parts.next().is_some() && year.starts_with("20") && year.len() == 4 && is_digits(year) && is_number(month, 1, 12)
}

/// `05-06`, month and day.
fn is_short_date(text: &str) -> bool {
    text.split_once('-').is_some_and(|(month, day)| is_number(month, 1, 12) && is_number(day, 1, 31))
}

/// `20250929`
fn is_full_date(text: &str) -> bool {
    text.len() == 8
        && is_digits(text)
        && text.starts_with("20")
        && Day::parse(&format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..])).is_some()
}

/// `2411`: the 24th year, the 11th month.
fn is_year_month(text: &str) -> bool {
    text.len() == 4 && is_digits(text) && is_number(&text[2..], 1, 12)
}

/// `0709`: the 9th of July.
fn is_month_day(text: &str) -> bool {
    text.len() == 4 && is_digits(text) && is_number(&text[..2], 1, 12) && is_number(&text[2..], 1, 31)
}

/// Two digits in a range.
fn is_number(text: &str, least: u32, most: u32) -> bool {
    text.len() == 2 && is_digits(text) && text.parse().is_ok_and(|number: u32| (least..=most).contains(&number))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What stands behind the last `-`.
fn last_part(id: &str) -> Option<&str> {
    id.rsplit_once('-').map(|(_, last)| last)
}
