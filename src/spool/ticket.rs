//! What a ticket says, and how it is written.
//!
//! In: facts about a request. Out: the bytes of a file, and the facts again. Must not know: disks.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Version of the file's shape; changes are additive.
const SCHEMA: u8 = 1;
/// Bytes of a ticket's first line. Everything in it is bounded by the head of a request but the texts of its metadata.
pub const MAX_HEAD: usize = 1 << 20;

const PREFIX: &str = "tkt_";
/// Digits of the time, and of chance.
const TIME: usize = 12;
const CHANCE: usize = 16;

/// `tkt_`, the milliseconds since 1970 in twelve hexadecimal digits, and sixteen more by chance: names sort by age.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TicketId(String);

impl TicketId {
    /// For a request that came at `at`, in milliseconds since 1970.
    pub fn new(at: u64, chance: u64) -> Self {
        Self(format!("{PREFIX}{:012x}{chance:016x}", at & 0xffff_ffff_ffff))
    }

    /// Milliseconds since 1970.
    pub fn at(&self) -> u64 {
        u64::from_str_radix(&self.0[PREFIX.len()..PREFIX.len() + TIME], 16).unwrap_or_default()
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TicketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<TicketId> for String {
    fn from(id: TicketId) -> Self {
        id.0
    }
}

impl TryFrom<String> for TicketId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix(PREFIX).filter(|digits| digits.len() == TIME + CHANCE);
        if digits.is_some_and(|digits| digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))) {
            return Ok(Self(text));
        }
        let shown: String = text.chars().take(64).flat_map(char::escape_debug).collect();
        Err(format!(
            "`{shown}` is not a ticket; they look like `{}`",
            Self::new(0x019a_df3c_2b7f, 0x4b1c_0d5e_6f70_8192)
        ))
    }
}

impl std::str::FromStr for TicketId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::try_from(text.to_owned())
    }
}

/// One request that waits for a person. Never a key: of the request's head only what is named here is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Version of this shape.
    pub schema: u8,
    /// Its name.
    pub ticket: TicketId,
    /// The policy's queue.
    pub queue: String,
    /// When the request was admitted, RFC 3339 in UTC.
    pub received: String,
    /// When an answer was promised, RFC 3339 in UTC; absent where the policy promises nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// As the caller saw it in `x-wayside-request-id`, and as the request log has it.
    pub request_id: String,
    /// The API endpoint: what the body is.
    pub endpoint: String,
    /// The policy's name.
    pub policy: String,
    /// Its content hash.
    pub policy_hash: String,
    /// The rule that decided.
    pub rule: String,
    /// How the last attempt failed; absent when none could be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Who asked, as far as it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// Where its data may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residency: Option<String>,
    /// Declared attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// Bytes of the body that follows.
    #[serde(default)]
    pub body_bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    #[serde(default)]
    pub body_sha256: String,
}

impl Ticket {
    /// Version of the shape that this program writes.
    pub const SCHEMA: u8 = SCHEMA;

    /// The first line of its file, for this body. `None` if it is longer than [`MAX_HEAD`].
    pub fn head(&self, body: &[u8]) -> Option<Vec<u8>> {
        let sealed = Self { body_bytes: body.len() as u64, body_sha256: sum(body), ..self.clone() };
        let mut head = serde_json::to_vec(&sealed).ok()?;
        head.push(b'\n');
        Some(head).filter(|head| head.len() <= MAX_HEAD)
    }

    /// From the first line of a file, without its end.
    pub(super) fn read(line: &[u8]) -> Result<Self, String> {
        let ticket: Self =
            serde_json::from_slice(line).map_err(|error| format!("its first line is not a ticket: {error}"))?;
        if ticket.schema != SCHEMA {
            return Err(format!("it has schema {}, and this version reads {SCHEMA}", ticket.schema));
        }
        Ok(ticket)
    }

    /// Whether a body is the one that was written.
    pub(super) fn holds(&self, body: &[u8]) -> Result<(), String> {
        if self.body_sha256 == sum(body) { Ok(()) } else { Err("its body is not what was written".to_owned()) }
    }
}

fn sum(body: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(body) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn ticket(at: u64, chance: u64) -> Ticket {
        Ticket {
            schema: SCHEMA,
            ticket: TicketId::new(at, chance),
            queue: "desk".to_owned(),
            received: "2026-11-25T10:00:00.000Z".to_owned(),
            due: None,
            request_id: "req_1".to_owned(),
            endpoint: "chat".to_owned(),
            policy: "support".to_owned(),
            policy_hash: "sha256:1".to_owned(),
            rule: "refunds".to_owned(),
            failure: Some("timeout".to_owned()),
            tenant: None,
            user: None,
            plan: None,
            feature: None,
            residency: None,
            attributes: BTreeMap::new(),
            body_bytes: 0,
            body_sha256: String::new(),
        }
    }

    #[test]
    fn names_sort_by_age_and_are_read_back() {
        let ids = [TicketId::new(5, u64::MAX), TicketId::new(6, 0), TicketId::new(0x0198_0000_0000, 1)];
        assert!(ids.is_sorted());
        assert_eq!(
            ids.map(|id| (id.as_str().parse::<TicketId>().unwrap() == id, id.at())),
            [(true, 5), (true, 6), (true, 0x0198_0000_0000)]
        );
    }

    #[test]
    fn a_name_that_is_a_path_is_no_ticket() {
        for wrong in [
            "",
            "tkt_",
            "../tkt_019adf3c2b7f4b1c0d5e6f708192",
            "tkt_019ADF3C2B7F4B1C0D5E6F708192",
            "tkt_019adf3c2b7f4b1c0d5e6f70819é",
        ] {
            let error = wrong.parse::<TicketId>().unwrap_err();
            assert!(error.contains("is not a ticket; they look like `tkt_019adf3c2b7f"), "{error}");
        }
    }

    #[test]
    fn a_head_takes_its_limit_and_not_a_byte_more() {
        let length = |ticket: &Ticket| ticket.head(b"{}").map(|head| head.len());
        let mut ticket = ticket(1, 1);
        let bare = length(&Ticket { user: Some(String::new()), ..ticket.clone() }).unwrap();
        ticket.user = Some("x".repeat(MAX_HEAD - bare));
        assert_eq!(length(&ticket), Some(MAX_HEAD));
        ticket.user = Some("x".repeat(MAX_HEAD - bare + 1));
        assert_eq!(length(&ticket), None);
    }

    #[test]
    fn what_is_added_later_does_not_make_a_ticket_unreadable() {
        let line = ticket(1, 1).head(b"{}").unwrap();
        let text = String::from_utf8(line).unwrap().replacen('{', "{\"new\":[1],", 1);
        assert_eq!(Ticket::read(text.trim().as_bytes()).unwrap().queue, "desk");
        let newer = text.replace("\"schema\":1", "\"schema\":2");
        assert_eq!(Ticket::read(newer.trim().as_bytes()).unwrap_err(), "it has schema 2, and this version reads 1");
    }
}
