//! A provider key that cannot be printed by accident.
//!
//! In: the environment or a file. Out: a value without `Display` and `Serialize`, whose `Debug` hides it. Must not know: who
//! uses it.

use std::sync::Arc;

/// A key. Only [`Secret::expose`] gives it away, so every use can be found by name.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps what was read; a final newline, as editors and `echo` leave it, is not part of a key.
    pub fn new(text: &str) -> Self {
        Self(text.trim_end_matches(['\n', '\r']).into())
    }

    /// The key itself, for the one header it belongs in.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints() {
        let secret = Secret::new("sk-123\n");
        assert_eq!(secret.expose(), "sk-123");
        assert!(!format!("{secret:?}").contains("123"));
    }
}
