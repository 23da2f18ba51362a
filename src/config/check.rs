//! The `check:` section: what a project wants of `wayside check`.
//!
//! In: the text of `wayside.yaml`. Out: [`Settings`]. Must not know: what the codes mean.

use super::raw::{Raw, RawCheck};
use super::{ConfigErrors, keys};
use crate::units::Millis;

/// Steps of the exact analysis before it gives up with R410 (language specification, section 9.6).
pub const DEFAULT_FUEL: u64 = 2_000_000;
/// Days before a retirement at which R203 begins.
pub const DEFAULT_RETIRE_WINDOW: u32 = 60;
/// Findings printed for one policy before the rest is only counted.
pub const DEFAULT_MAX_FINDINGS: usize = 200;

/// Lint settings of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Warnings fail too.
    pub deny_warnings: bool,
    /// Pedantic codes or families to turn on.
    pub select: Vec<String>,
    /// Names or codes to turn off.
    pub allow: Vec<String>,
    /// In days.
    pub retire_window: u32,
    /// Steps.
    pub fuel: u64,
    /// Percent that `test --coverage` must reach.
    pub coverage: Option<u8>,
    /// Printed for one policy.
    pub max_findings: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            deny_warnings: false,
            select: Vec::new(),
            allow: Vec::new(),
            retire_window: DEFAULT_RETIRE_WINDOW,
            fuel: DEFAULT_FUEL,
            coverage: None,
            max_findings: DEFAULT_MAX_FINDINGS,
        }
    }
}

/// Reads the section out of a whole `wayside.yaml`; unknown keys anywhere in the file are errors.
pub fn settings(text: &str) -> Result<Settings, ConfigErrors> {
    meant(&parse(text)?.check)
}

/// The file as typed, or every unknown key, or the first wrong type.
pub(super) fn parse(text: &str) -> Result<Raw, ConfigErrors> {
    let tree: serde_yaml::Value = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    if tree.is_null() {
        return Ok(Raw::default());
    }
    let unknown = keys::unknown(&tree, text);
    if !unknown.is_empty() {
        return Err(ConfigErrors(unknown));
    }
    // From the text again, because only this way has the error a line.
    serde_yaml::from_str(text).map_err(|error| error.to_string().into())
}

pub(super) fn meant(raw: &RawCheck) -> Result<Settings, ConfigErrors> {
    const DAY: u64 = 86_400_000;
    let default = Settings::default();
    let retire_window = match &raw.retire_window {
        None => default.retire_window,
        Some(text) => {
            let window: Millis = text.parse().map_err(|error| format!("check.retire_window: {error}"))?;
            u32::try_from(window.0 / DAY).map_err(|_| format!("check.retire_window: {text} is too long"))?
        }
    };
    Ok(Settings {
        deny_warnings: raw.deny_warnings.unwrap_or(default.deny_warnings),
        select: raw.select.clone(),
        allow: raw.allow.clone(),
        retire_window,
        fuel: raw.fuel.unwrap_or(default.fuel),
        coverage: raw.coverage,
        max_findings: raw.max_findings.unwrap_or(default.max_findings),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_is_read_beside_the_others() {
        let text = "listen: 127.0.0.1:0\ncheck:\n  deny_warnings: true\n  retire_window: 90d\n  select: [R412]\n";
        let settings = settings(text).unwrap();
        assert!(settings.deny_warnings);
        assert_eq!(settings.retire_window, 90);
        assert_eq!(settings.select, ["R412"]);
        assert_eq!(settings.fuel, DEFAULT_FUEL);
    }

    #[test]
    fn an_empty_file_is_all_defaults() {
        assert_eq!(settings(""), Ok(Settings::default()));
        assert_eq!(settings("# nothing\n"), Ok(Settings::default()));
    }

    #[test]
    fn a_wrong_type_says_where() {
        let error = settings("check:\n  fuel: much\n").unwrap_err().to_string();
        assert!(error.contains("check.fuel") && error.contains("line 2"), "{error}");
    }
}
