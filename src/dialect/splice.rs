//! The same request for another model.
//!
//! In: a body and its scan, the model to ask, the policy's cap. Out: the body with these two replaced. Must not know: why.

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

use super::scan::{Cap, Scan};
use crate::json::Span;

/// What a hop has other than the caller said.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The model to ask.
    pub model: &'a str,
    /// The policy's cap on the answer, in tokens.
    pub max_output: Option<u64>,
    /// The field that says so where the caller gave no cap at all.
    pub cap: &'a str,
}

/// Bytes to take out and what to put in their place, in order of place.
fn edits(scan: &Scan, change: Change<'_>) -> SmallVec<[(Span, String); 3]> {
    let Change { model, max_output, cap } = change;
    let mut edits: SmallVec<[(Span, String); 3]> = SmallVec::new();
    if *scan.model != *model && !scan.model_value.is_empty() {
        // A JSON string of a `str` cannot fail; the fallback leaves the model as the caller wrote it.
        let name = serde_json::to_string(model).unwrap_or_else(|_| format!("\"{}\"", scan.model));
        edits.push((scan.model_value, name));
    }
    if let Some(limit) = max_output {
        let given = scan.max_output.is_some();
        let higher = |cap: &&Cap| cap.value.is_some_and(|value| value > limit);
        let nulls = scan.caps.iter().take(usize::from(!given));
        for cap in scan.caps.iter().filter(higher).chain(nulls) {
            edits.push((cap.span, limit.to_string()));
        }
        if scan.caps.is_empty() {
            let front = Span { start: scan.first_member, end: scan.first_member };
            let (before, after) = scan.cap_frame;
            edits.push((front, format!("{before}\"{cap}\":{limit}{after}")));
        }
    }
    edits.sort_by_key(|(span, _)| span.start);
    edits
}

/// A body in pieces, most of them slices of the caller's: nothing of a large prompt is copied.
#[derive(Clone, Debug)]
pub struct Spliced {
    /// In order.
    pub parts: SmallVec<[Bytes; 7]>,
}

impl Spliced {
    /// For `content-length`.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }

    /// Never, for a body that was scanned.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// In one piece. Cheaper than several writes for small bodies.
    pub fn into_bytes(mut self) -> Bytes {
        if self.parts.len() == 1 {
            return self.parts.remove(0);
        }
        let mut whole = BytesMut::with_capacity(self.len());
        for part in &self.parts {
            whole.extend_from_slice(part);
        }
        whole.freeze()
    }
}

/// The body with the hop's model in place of the caller's, and with the output cap lowered to `max_output` where the caller's
/// is higher or not given; every other byte as it came.
pub fn splice(body: &Bytes, scan: &Scan, change: Change<'_>) -> Spliced {
    let mut parts = SmallVec::new();
    let mut at = 0;
    for (span, text) in edits(scan, change) {
        if span.start > at {
            parts.push(body.slice(at..span.start));
        }
        parts.push(text.into());
        at = span.end;
    }
    if at < body.len() {
        parts.push(body.slice(at..));
    }
    Spliced { parts }
}
