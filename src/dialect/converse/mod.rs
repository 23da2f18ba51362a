//! Amazon Bedrock's Converse and ConverseStream, as a target: requests are written, answers are read.
//!
//! In: a [`Conversation`](crate::dialect::canonical::Conversation); answers of the provider. Out: bodies and paths for the
//! provider; what its answers say. Must not know: sockets, policies, signatures.
//!
//! Field names and limits are those of botocore 1.44.8, `bedrock-runtime` 2023-09-30 (read 2026-11-26).

pub mod answer;
mod ids;
mod media;
pub mod reader;
mod settings;
mod tools;
mod turns;
pub mod write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub use answer::read;
pub use reader::Reader;
pub use write::request;

/// What a path segment may hold as it is (RFC 3986, section 2.3): model ids have `:`, and ARNs have `/`.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where a model is asked, behind the base URL.
pub fn upstream_path(model: &str, stream: bool) -> String {
    let method = if stream { "converse-stream" } else { "converse" };
    format!("/model/{}/{method}", utf8_percent_encode(model, UNRESERVED))
}

/// Claude takes fields of its own beside those of Converse. Its ids and those of its inference profiles say so.
fn is_claude(model: &str) -> bool {
    model.contains("anthropic.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_with_colons_and_slashes_are_one_segment_of_the_path() {
        assert_eq!(
            upstream_path("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", true),
            "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream"
        );
        assert_eq!(
            upstream_path("arn:aws:bedrock:eu-central-1:1:inference-profile/x", false),
            "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Ainference-profile%2Fx/converse"
        );
    }
}
