//! The name of one request, for its caller and its log line.
//!
//! In: chance. Out: text and a header. Must not know: requests.

use http::HeaderValue;

/// `req_` and 24 hexadecimal digits.
#[derive(Clone, Copy)]
pub struct RequestId([u8; 28]);

impl RequestId {
    /// A new one.
    pub fn new() -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut id = *b"req_000000000000000000000000";
        let mut random = fastrand::u128(..);
        for digit in &mut id[4..] {
            *digit = DIGITS[(random & 15) as usize];
            random >>= 4;
        }
        Self(id)
    }

    /// As the log has it.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// For `x-wayside-request-id`.
    pub fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_bytes(&self.0).ok()
    }
}
