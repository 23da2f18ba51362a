//! Bytes of one provider API to what the router must know about them, and back.
//!
//! In: request bodies, upstream heads and bodies, stream events. Out: the facts inside them, failures in the words of
//! section 5.3 of the language specification, bodies with one value replaced, error bodies in the caller's dialect. Must not
//! know: sockets, policies.

pub mod bad_body;
pub mod caller_error;
pub mod canonical;
pub mod carried;
pub mod chat;
mod chunks;
pub mod converse;
pub mod embeddings;
#[cfg(feature = "serve")]
pub mod event_stream;
pub mod follow;
#[cfg(feature = "serve")]
pub mod framing;
pub mod gemini;
pub mod messages;
pub mod models;
mod pass;
pub mod responses;
pub mod room;
pub mod scan;
#[cfg(feature = "serve")]
pub mod splice;
pub mod sse;
pub mod translate;
pub mod upstream_error;
pub mod whole;

use http::HeaderName;

pub use crate::names::Dialect;

/// Request or response headers, whatever type carries them. Names are lower case.
pub trait Headers {
    /// The values of a header.
    fn find(&self, name: &str) -> Found<'_>;

    /// The same under a name that was read before: types that know such names do not look at its letters again.
    fn named(&self, name: &HeaderName) -> Found<'_> {
        self.find(name.as_str())
    }

    /// The first value of a header, if it is text.
    fn get(&self, name: &str) -> Option<&str> {
        match self.find(name) {
            Found::One(value) => Some(value),
            Found::Many { first } => first,
            Found::Absent | Found::NotText => None,
        }
    }
}

/// What stands under a header's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// Nothing.
    Absent,
    /// One value.
    One(&'a str),
    /// One value that is not visible ASCII.
    NotText,
    /// Several lines.
    Many {
        /// The first, if it is text.
        first: Option<&'a str>,
    },
}

impl<'a> Found<'a> {
    fn among(mut values: impl Iterator<Item = Option<&'a str>>) -> Self {
        match (values.next(), values.next()) {
            (None, _) => Self::Absent,
            (Some(first), Some(_)) => Self::Many { first },
            (Some(Some(value)), None) => Self::One(value),
            (Some(None), None) => Self::NotText,
        }
    }
}

impl Headers for [(&str, &str)] {
    fn find(&self, name: &str) -> Found<'_> {
        Found::among(self.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| Some(*value)))
    }
}

#[cfg(feature = "serve")]
impl<H: Headers + ?Sized> Headers for Option<&H> {
    fn find(&self, name: &str) -> Found<'_> {
        self.map_or(Found::Absent, |headers| headers.find(name))
    }
}

#[cfg(feature = "serve")]
impl Headers for http::HeaderMap {
    fn find(&self, name: &str) -> Found<'_> {
        Found::among(self.get_all(name).iter().map(|value| value.to_str().ok()))
    }

    fn named(&self, name: &HeaderName) -> Found<'_> {
        Found::among(self.get_all(name).iter().map(|value| value.to_str().ok()))
    }
}
