//! What a request said, word for word, for answers that repeat it.
//!
//! In: members of a body. Out: the same. Must not know: which members a dialect repeats.

use bytes::Bytes;

/// Most of a request that its answer repeats, in bytes; a member that does not fit is not repeated. A stream repeats it three times.
pub const MAX_ECHO: usize = 512 * 1024;

/// Members of a body and their values as written. The values are slices of the body, which lives as long as its answer anyway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Echo {
    members: Vec<(&'static str, Bytes)>,
    bytes: usize,
}

impl Echo {
    /// Of a request that said nothing.
    pub const fn nothing() -> Self {
        Self { members: Vec::new(), bytes: 0 }
    }

    /// Keeps a member, if it fits.
    pub fn keep(&mut self, name: &'static str, value: Bytes) {
        if self.bytes + value.len() <= MAX_ECHO {
            self.bytes += value.len();
            self.members.push((name, value));
        }
    }

    /// A member's value as written.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.members.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_much_is_repeated_and_not_one_byte_more() {
        for (bytes, fits) in [(MAX_ECHO - 1, true), (MAX_ECHO, false)] {
            let mut echo = Echo::nothing();
            echo.keep("a", Bytes::from_static(b"1"));
            echo.keep("b", vec![b'x'; bytes].into());
            echo.keep("c", Bytes::new());
            let there = ["a", "b", "c"].map(|name| echo.get(name).is_some());
            assert_eq!(there, [true, fits, true]);
        }
    }
}
