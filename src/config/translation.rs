//! What becomes of a field that a provider of another dialect cannot be told.
//!
//! In: `translation:`. Out: whether it may be left out. Must not know: dialects, fields.

use crate::names::nearest;

const WORDS: [&str; 2] = ["strict", "lenient"];

/// `strict`, the default, refuses the request and names the field; `lenient` leaves out what is harmless enough, and names it in
/// a header of the answer.
pub(super) fn lenient(written: Option<&str>, errors: &mut Vec<String>) -> bool {
    match written {
        None | Some("strict") => false,
        Some("lenient") => true,
        Some(other) => {
            let meant = nearest(other, WORDS).first().map_or("strict", |meant| meant);
            errors.push(format!("translation: unknown word `{other}`; write `{meant}`"));
            false
        }
    }
}
