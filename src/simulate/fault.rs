//! What can be made to go wrong, and the short text that asks for it.
//!
//! In: text such as `503;retry-after=2;first=3` (from a model name, a header, a faults file). Out: one `Fault`, or why
//! not. Must not know: HTTP, sockets, dialects.

use std::time::Duration;

use super::when::When;
use super::words::{Word, WordError, duration, whole};

/// Longest wait that may be asked for; keeps a forgotten simulator from holding connections for days.
pub const MAX_WAIT: Duration = Duration::from_secs(3600);
/// Largest answer or single event, in bytes; twice what a proxy should be tried with.
pub const MAX_BYTES: u64 = 64 << 20;
/// Most events in one stream.
pub const MAX_EVENTS: u64 = 1_000_000;

/// Everything one request is told to do differently, and when.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fault {
    /// As asked for.
    pub text: String,
    /// What goes wrong, if anything.
    pub trouble: Option<Trouble>,
    /// How a healthy answer (or the healthy part of one) looks and how fast it comes.
    pub shape: Shape,
    /// To which requests it applies.
    pub when: When,
}

/// What goes wrong. Numbers of events count every event of the stream from its first (the role chunk, `message_start`).
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// An HTTP error in the provider's own words.
    Error(ErrorAnswer),
    /// Nobody listens: the provider's own port is closed. On a shared port the connection is reset.
    Refused,
    /// The connection is reset (RST) before the response head.
    Reset,
    /// The connection is closed (FIN) before the response head.
    Hangup,
    /// The request is taken and never answered.
    Silence,
    /// Something that is not HTTP comes back.
    Garbage,
    /// The stream stops after so many events and the connection stays open.
    Stall(u64),
    /// The connection is reset (RST) after so many events.
    Cut(u64),
    /// The connection is closed (FIN) after so many events, in the middle of the HTTP body.
    Close(u64),
    /// The HTTP body ends cleanly after so many events, without finish reason or terminal event.
    End(u64),
    /// After so many events come some whose data is not JSON (`repeat` of them); then the stream goes on.
    Malformed {
        /// Events before it.
        after: u64,
        /// How many in a row.
        repeat: u64,
    },
    /// After so many events comes the dialect's error event, and the stream ends.
    ErrorEvent {
        /// Events before it.
        after: u64,
        /// What the event says.
        kind: ErrorKind,
    },
    /// The terminal event (`[DONE]`, `message_stop`) is left out.
    NoDone,
    /// 200 with the finish reason of a content filter.
    Filtered,
    /// 200 with the dialect's structural refusal.
    Refusal,
    /// The answer names another model than the one asked for.
    WrongModel(Option<String>),
    /// The answer does not have the shape that a JSON schema or a tool demands.
    BadSchema {
        /// Prose where JSON was demanded, instead of JSON of the wrong shape.
        prose: bool,
    },
    /// 200 and no body.
    EmptyBody,
    /// 200 and half the JSON; the HTTP message itself is complete.
    Truncated,
    /// 200 and a page of HTML.
    NotJson,
}

/// What an HTTP error says.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorAnswer {
    /// Its meaning.
    pub kind: ErrorKind,
    /// A status other than the kind's own.
    pub status: Option<u16>,
    /// How long the caller is asked to wait.
    pub wait: Option<Wait>,
}

/// The forms of "come back later".
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wait {
    /// `Retry-After: SECONDS`.
    Seconds(u64),
    /// `Retry-After: HTTP-DATE`, so many seconds from the answer.
    Date(u64),
    /// `Retry-After-Ms: MILLISECONDS`.
    Millis(u64),
}

/// What an error means; each dialect has its own status and words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words are their own description")]
pub enum ErrorKind {
    RateLimit,
    Quota,
    Overloaded,
    ServerError,
    Timeout,
    Auth,
    Forbidden,
    ModelNotFound,
    ContextLength,
    ContentFilter,
    TooLarge,
    Conflict,
    BadRequest,
}

impl ErrorKind {
    /// Every kind and its word.
    pub const WORDS: [(&'static str, Self); 13] = [
        ("rate-limit", Self::RateLimit),
        ("quota", Self::Quota),
        ("overloaded", Self::Overloaded),
        ("server-error", Self::ServerError),
        ("timeout", Self::Timeout),
        ("auth", Self::Auth),
        ("forbidden", Self::Forbidden),
        ("model-not-found", Self::ModelNotFound),
        ("context-length", Self::ContextLength),
        ("content-filter", Self::ContentFilter),
        ("too-large", Self::TooLarge),
        ("conflict", Self::Conflict),
        ("bad-request", Self::BadRequest),
    ];

    fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(name, _)| *name == word).map(|(_, kind)| *kind)
    }

    /// What a bare status means.
    fn from_status(status: u16) -> Self {
        match status {
            401 => Self::Auth,
            402 => Self::Quota,
            403 => Self::Forbidden,
            404 | 410 => Self::ModelNotFound,
            408 | 504 => Self::Timeout,
            409 => Self::Conflict,
            413 => Self::TooLarge,
            429 => Self::RateLimit,
            503 | 529 => Self::Overloaded,
            500..=599 => Self::ServerError,
            _ => Self::BadRequest,
        }
    }
}

/// How an answer looks and how fast it comes. Combines with any trouble.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shape {
    /// Wait before the response head.
    pub slow_head: Option<Duration>,
    /// Wait before the first content event (the head and the opening events come at once).
    pub slow_first_token: Option<Duration>,
    /// Wait before every further content event.
    pub delay: Option<Duration>,
    /// Exactly so many content pieces.
    pub events: Option<u64>,
    /// At least so many bytes of content.
    pub bytes: Option<u64>,
    /// One content piece of so many bytes in front of the others.
    pub huge_event: Option<u64>,
    /// Another text for the same prompt.
    pub seed: u64,
}

impl Shape {
    /// The shape of each of `n` answers in one response: together they stay within what one may have.
    #[must_use]
    pub fn shared_by(&self, n: u64) -> Self {
        let share = |asked: Option<u64>, most: u64| asked.map(|asked| asked.min(most / n.max(1)));
        Self {
            events: share(self.events, MAX_EVENTS),
            bytes: share(self.bytes, MAX_BYTES),
            huge_event: share(self.huge_event, MAX_BYTES),
            ..self.clone()
        }
    }
}

/// Every word, for help, documentation and "did you mean". Order: how far a request gets.
pub const WORDS: [(&str, &str); 45] = [
    ("none", "no fault, whatever the faults file says"),
    ("STATUS", "an HTTP error, 300 to 599, in the provider's own envelope"),
    ("rate-limit", "429"),
    ("quota", "429 insufficient_quota; Anthropic 402 billing_error"),
    ("overloaded", "503; Anthropic 529"),
    ("server-error", "500"),
    ("timeout", "504"),
    ("auth", "401"),
    ("forbidden", "403"),
    ("model-not-found", "404"),
    ("context-length", "400, the prompt is too long"),
    ("content-filter", "400, the prompt was filtered; Google 200 and no candidates"),
    ("too-large", "413"),
    ("conflict", "409"),
    ("bad-request", "400"),
    ("retry-after=S", "with an error: Retry-After in seconds"),
    ("retry-after-date=S", "with an error: Retry-After as a date S seconds ahead"),
    ("retry-after-ms=N", "with an error: Retry-After-Ms"),
    ("refused", "the provider's own port is closed; on a shared port: reset"),
    ("reset", "RST before the response head"),
    ("hangup", "FIN before the response head"),
    ("silence", "taken, never answered"),
    ("garbage", "an answer that is not HTTP"),
    ("slow-head=D", "wait D before the response head"),
    ("slow-first-token=D", "wait D before the first content event"),
    ("delay=D", "wait D before every further content event"),
    ("stall=N", "nothing more after N events"),
    ("cut=N", "RST after N events"),
    ("close=N", "FIN after N events, inside the HTTP body"),
    ("end=N", "the HTTP body ends cleanly after N events"),
    ("malformed=N", "after N events, one whose data is not JSON (repeat=K: K of them)"),
    ("error-event=N", "after N events, an error event (as=WORD: which error)"),
    ("no-done", "no terminal event"),
    ("filtered", "200, finish reason content_filter"),
    ("refusal", "200, a structural refusal"),
    ("wrong-model[=ID]", "the answer names another model"),
    ("bad-schema[=text]", "JSON of another shape than demanded (=text: no JSON at all)"),
    ("empty-body", "200 and nothing"),
    ("truncated", "200 and half the JSON"),
    ("not-json", "200 and HTML"),
    ("events=N", "exactly N content pieces"),
    ("bytes=N", "at least N bytes of content"),
    ("huge-event=N", "a first content piece of N bytes"),
    ("seed=N", "another text for the same prompt"),
    ("first=N from=N to=N share=P% after=D for=D", "to which requests it applies"),
];

impl Fault {
    /// Reads a fault: words separated by `;`, `,` or blanks; at most one of them names a trouble.
    ///
    /// # Errors
    /// A sentence that names the word and what could stand there.
    pub fn parse(text: &str) -> Result<Self, WordError> {
        let mut reading =
            Reading { fault: Self { text: text.trim().to_owned(), ..Self::default() }, ..Reading::default() };
        for word in Word::split(text) {
            reading.word(&word)?;
        }
        reading.finish()
    }
}

/// A fault while its words are read; modifiers may come before what they modify.
#[derive(Default)]
struct Reading {
    fault: Fault,
    trouble_word: Option<String>,
    wait: Option<(Wait, String)>,
    repeat: Option<u64>,
    kind: Option<ErrorKind>,
}

impl Reading {
    fn word(&mut self, word: &Word<'_>) -> Result<(), WordError> {
        if let Some(trouble) = trouble(word)? {
            if let Some(before) = self.trouble_word.replace(word.text.to_owned()) {
                return Err(WordError(format!("`{before}` and `{}` cannot both happen; keep one", word.text)));
            }
            self.fault.trouble = Some(trouble);
            return Ok(());
        }
        if self.fault.when.word(word)? || self.shape(word)? {
            return Ok(());
        }
        match word.name.as_str() {
            "none" | "ok" => word.bare()?,
            "retry-after" => self.wait = Some((Wait::Seconds(whole(word, 0, 86_400)?), word.text.to_owned())),
            "retry-after-date" => self.wait = Some((Wait::Date(whole(word, 0, 86_400)?), word.text.to_owned())),
            "retry-after-ms" => self.wait = Some((Wait::Millis(whole(word, 0, 86_400_000)?), word.text.to_owned())),
            "repeat" => self.repeat = Some(whole(word, 1, 1000)?),
            "as" => self.kind = Some(error_kind(word)?),
            _ => return Err(word.unknown(WORDS.iter().map(|(name, _)| *name))),
        }
        Ok(())
    }

    fn shape(&mut self, word: &Word<'_>) -> Result<bool, WordError> {
        let shape = &mut self.fault.shape;
        match word.name.as_str() {
            "slow-head" => shape.slow_head = Some(duration(word, MAX_WAIT)?),
            "slow-first-token" => shape.slow_first_token = Some(duration(word, MAX_WAIT)?),
            "delay" => shape.delay = Some(duration(word, MAX_WAIT)?),
            "events" => shape.events = Some(whole(word, 0, MAX_EVENTS)?),
            "bytes" => shape.bytes = Some(whole(word, 1, MAX_BYTES)?),
            "huge-event" => shape.huge_event = Some(whole(word, 1, MAX_BYTES)?),
            "seed" => shape.seed = whole(word, 0, u64::MAX)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn finish(mut self) -> Result<Fault, WordError> {
        if let Some((wait, text)) = self.wait {
            match &mut self.fault.trouble {
                Some(Trouble::Error(error)) => error.wait = Some(wait),
                _ => return Err(WordError(format!("`{text}` needs an error to go with, such as `429;{text}`"))),
            }
        }
        if let Some(count) = self.repeat {
            match &mut self.fault.trouble {
                Some(Trouble::Malformed { repeat, .. }) => *repeat = count,
                _ => return Err(WordError("`repeat` belongs to `malformed=N`".to_owned())),
            }
        }
        if let Some(said) = self.kind {
            match &mut self.fault.trouble {
                Some(Trouble::ErrorEvent { kind, .. }) => *kind = said,
                _ => return Err(WordError("`as` belongs to `error-event=N`".to_owned())),
            }
        }
        if self.fault.trouble == Some(Trouble::Refused) && self.fault.when.counts() {
            let why = "a refused connection is never seen, so it cannot be counted; use `after=D` and `for=D`";
            return Err(WordError(why.to_owned()));
        }
        self.fault.when.check()?;
        Ok(self.fault)
    }
}

/// The trouble a word names, if it names one.
fn trouble(word: &Word<'_>) -> Result<Option<Trouble>, WordError> {
    let events = |word: &Word<'_>| whole(word, 0, MAX_EVENTS);
    let flag = |trouble| word.bare().map(|()| trouble);
    let trouble = match word.name.as_str() {
        "refused" => flag(Trouble::Refused)?,
        "reset" => flag(Trouble::Reset)?,
        "hangup" => flag(Trouble::Hangup)?,
        "silence" => flag(Trouble::Silence)?,
        "garbage" => flag(Trouble::Garbage)?,
        "stall" => Trouble::Stall(events(word)?),
        "cut" => Trouble::Cut(events(word)?),
        "close" => Trouble::Close(events(word)?),
        "end" => Trouble::End(events(word)?),
        "malformed" => Trouble::Malformed { after: events(word)?, repeat: 1 },
        "error-event" => Trouble::ErrorEvent { after: events(word)?, kind: ErrorKind::ServerError },
        "no-done" => flag(Trouble::NoDone)?,
        "filtered" => flag(Trouble::Filtered)?,
        "refusal" => flag(Trouble::Refusal)?,
        "wrong-model" => Trouble::WrongModel(word.value.map(str::to_owned)),
        "bad-schema" => match word.value {
            None => Trouble::BadSchema { prose: false },
            Some("text") => Trouble::BadSchema { prose: true },
            Some(other) => return Err(WordError(format!("`bad-schema` takes `text` or nothing, not `{other}`"))),
        },
        "empty-body" => flag(Trouble::EmptyBody)?,
        "truncated" => flag(Trouble::Truncated)?,
        "not-json" => flag(Trouble::NotJson)?,
        name => match status_or_kind(name)? {
            Some(error) => flag(Trouble::Error(error))?,
            None => return Ok(None),
        },
    };
    Ok(Some(trouble))
}

fn status_or_kind(name: &str) -> Result<Option<ErrorAnswer>, WordError> {
    if let Some(kind) = ErrorKind::from_word(name) {
        return Ok(Some(ErrorAnswer { kind, status: None, wait: None }));
    }
    if !name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match name.parse::<u16>() {
        Ok(status @ 300..=599) => {
            Ok(Some(ErrorAnswer { kind: ErrorKind::from_status(status), status: Some(status), wait: None }))
        }
        _ => Err(WordError(format!("`{name}` is not an HTTP error; write a status from 300 to 599"))),
    }
}

fn error_kind(word: &Word<'_>) -> Result<ErrorKind, WordError> {
    let known = || ErrorKind::WORDS.map(|(name, _)| name).join(", ");
    word.value
        .and_then(|value| ErrorKind::from_word(&value.replace('_', "-")))
        .ok_or_else(|| WordError(format!("`as` takes one of {}", known())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind, status: Option<u16>, wait: Option<Wait>) -> Option<Trouble> {
        Some(Trouble::Error(ErrorAnswer { kind, status, wait }))
    }

    #[test]
    fn faults_read_as_written() {
        let parse = |text: &str| Fault::parse(text).unwrap();
        assert_eq!(parse("429;retry-after=2").trouble, error(ErrorKind::RateLimit, Some(429), Some(Wait::Seconds(2))));
        assert_eq!(
            parse("retry-after-ms=150, overloaded").trouble,
            error(ErrorKind::Overloaded, None, Some(Wait::Millis(150)))
        );
        assert_eq!(parse("context_length").trouble, error(ErrorKind::ContextLength, None, None));
        assert_eq!(parse("malformed=2;repeat=3").trouble, Some(Trouble::Malformed { after: 2, repeat: 3 }));
        assert_eq!(
            parse("error-event=1;as=overloaded").trouble,
            Some(Trouble::ErrorEvent { after: 1, kind: ErrorKind::Overloaded })
        );
        assert_eq!(parse("wrong-model=gpt-x").trouble, Some(Trouble::WrongModel(Some("gpt-x".into()))));
        let mixed = parse("cut=50;events=200;delay=20ms;first=3");
        assert_eq!(mixed.trouble, Some(Trouble::Cut(50)));
        assert_eq!((mixed.shape.events, mixed.shape.delay), (Some(200), Some(Duration::from_millis(20))));
        assert!(mixed.when.counts());
        assert_eq!(parse("none"), Fault { text: "none".into(), ..Fault::default() });
        assert_eq!(parse(""), Fault::default());
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_reason() {
        for (text, says) in [
            ("sielnce", "did you mean `silence`"),
            ("503;reset", "cannot both happen"),
            ("200", "300 to 599"),
            ("retry-after=2", "needs an error"),
            ("cut", "needs a number"),
            ("cut=x", "needs a number"),
            ("reset=3", "takes no value"),
            ("delay=20", "20ms"),
            ("refused;first=3", "cannot be counted"),
            ("repeat=3", "belongs to"),
            ("cut=1;as=auth", "belongs to"),
            ("error-event=1;as=nothing", "takes one of"),
            ("bad-schema=json", "takes `text`"),
        ] {
            let error = Fault::parse(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn limits_hold_at_the_limit_and_break_one_above() {
        for (at, above) in [
            (format!("events={MAX_EVENTS}"), format!("events={}", MAX_EVENTS + 1)),
            (format!("bytes={MAX_BYTES}"), format!("bytes={}", MAX_BYTES + 1)),
            ("slow-head=3600s".to_owned(), "slow-head=3600001ms".to_owned()),
        ] {
            assert!(Fault::parse(&at).is_ok(), "{at}");
            assert!(Fault::parse(&above).is_err(), "{above}");
        }
    }

    #[test]
    fn every_documented_word_is_understood() {
        for (name, _) in WORDS.iter().filter(|(name, _)| !name.contains(' ') && *name != "STATUS") {
            let example = name.replace("=N", "=1").replace("=S", "=1").replace("=D", "=1s").replace(['[', ']'], "");
            let example = if name.starts_with("retry-after") { format!("429;{example}") } else { example };
            assert!(Fault::parse(&example).is_ok(), "{example}");
        }
    }
}
