//! Bytes of one provider API to what the router must know about them, and back.
//!
//! In: request bodies, upstream heads and bodies, stream events. Out: the facts inside them, failures in the words of
//! section 5.3 of the language specification, bodies with one value replaced, error bodies in the caller's dialect. Must not
//! know: sockets, policies.

pub mod chat;
pub mod json;
#[cfg(feature = "serve")]
pub mod sse;

/// Request or response headers, whatever type carries them.
pub trait Headers {
    /// The first value of a header, if it is text. Names are lower case.
    fn get(&self, name: &str) -> Option<&str>;
    /// How many times a header stands there.
    fn count(&self, name: &str) -> usize;
}

impl Headers for [(&str, &str)] {
    fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    fn count(&self, name: &str) -> usize {
        self.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).count()
    }
}

#[cfg(feature = "serve")]
impl Headers for http::HeaderMap {
    fn get(&self, name: &str) -> Option<&str> {
        Self::get(self, name).and_then(|value| value.to_str().ok())
    }

    fn count(&self, name: &str) -> usize {
        self.get_all(name).iter().count()
    }
}
