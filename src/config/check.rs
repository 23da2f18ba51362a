//! What `wayside check` takes from `wayside.yaml`: the `check:` section, and what policies are judged by at run time.
//!
//! In: the text of the file. Out: a [`Project`]. Must not know: what the codes mean.

use super::breakers;
use super::cache::{self, CacheSettings};
use super::delivery;
use super::limits;
use super::raw::{Raw, RawCheck};
use super::spool::{self, SpoolSettings};
use super::{ConfigErrors, Known, keys, known};
use crate::units::Millis;

/// Steps of the exact analysis before it gives up with R410 (language specification, section 9.6).
pub const DEFAULT_FUEL: u64 = 2_000_000;
/// Days before a retirement at which R203 begins.
pub const DEFAULT_RETIRE_WINDOW: u32 = 60;
/// Findings printed for one policy before the rest is only counted.
pub const DEFAULT_MAX_FINDINGS: usize = 200;

/// The most `fuel` a project may ask for: beyond it a check takes minutes, and a build looks hung.
pub const MAX_FUEL: u64 = 1_000_000_000;
/// The longest `retire_window`, in days.
pub const MAX_RETIRE_WINDOW: u32 = 3_650;

/// The part of `wayside.yaml` that the language tools read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Project {
    /// The `check:` section.
    pub check: Settings,
    /// An overlay on the catalog, relative to the file.
    pub catalog: Option<String>,
    /// The `providers:` section. Addresses and keys are the business of `serve`, which may run elsewhere.
    pub providers: Vec<Known>,
    /// The `spool:` section; its directory is relative to the file.
    pub spool: SpoolSettings,
    /// The `cache:` section.
    pub cache: CacheSettings,
}

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

/// Reads a whole `wayside.yaml`; unknown keys anywhere in it are errors.
pub fn project(text: &str) -> Result<Project, ConfigErrors> {
    let raw = parse(text)?;
    let mut errors = Vec::new();
    let providers = known::known(&raw.providers, &mut errors);
    let check = meant(&raw.check, &mut errors);
    let spool = spool::meant(&raw.spool, &mut errors);
    breakers::meant(&raw.breakers, &mut errors);
    limits::meant(&raw.limits, &mut errors);
    delivery::judge(&raw.queues, &mut errors);
    let cache = cache::meant(&raw.cache, &mut errors);
    if !errors.is_empty() {
        return Err(ConfigErrors(errors));
    }
    Ok(Project { check, catalog: raw.catalog, providers, spool, cache })
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

/// The section as meant; every value that means nothing goes to `errors`, with what to write.
pub(super) fn meant(raw: &RawCheck, errors: &mut Vec<String>) -> Settings {
    const DAY: u64 = 86_400_000;
    let default = Settings::default();
    let mut wrong = |key: &str, what: String| errors.push(format!("check.{key}: {what}"));
    let retire_window = match raw.retire_window.as_deref().map(|text| (text, text.parse::<Millis>())) {
        None => default.retire_window,
        Some((_, Err(error))) => {
            wrong("retire_window", error.to_string());
            default.retire_window
        }
        Some((text, Ok(window))) => match u32::try_from(window.0 / DAY) {
            Ok(days) if days <= MAX_RETIRE_WINDOW && window.0 % DAY == 0 => days,
            _ => {
                wrong(
                    "retire_window",
                    format!("`{text}` is not 0d to {MAX_RETIRE_WINDOW}d in whole days; write `90d`"),
                );
                default.retire_window
            }
        },
    };
    let fuel = raw.fuel.unwrap_or(default.fuel);
    if fuel == 0 || fuel > MAX_FUEL {
        wrong("fuel", format!("{fuel} is not 1 to {MAX_FUEL}; the default is {DEFAULT_FUEL}"));
    }
    if let Some(coverage) = raw.coverage.filter(|coverage| *coverage > 100) {
        wrong("coverage", format!("{coverage} is more than 100 percent"));
    }
    let max_findings = raw.max_findings.unwrap_or(default.max_findings);
    if max_findings == 0 {
        wrong("max_findings", format!("0 would print nothing; the default is {DEFAULT_MAX_FINDINGS}"));
    }
    Settings {
        deny_warnings: raw.deny_warnings.unwrap_or(default.deny_warnings),
        select: raw.select.clone(),
        allow: raw.allow.clone(),
        retire_window,
        fuel,
        coverage: raw.coverage,
        max_findings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_is_read_beside_the_others() {
        let text = "listen: 127.0.0.1:0\ncheck:\n  deny_warnings: true\n  retire_window: 90d\n  select: [R412]\n";
        let settings = project(text).unwrap().check;
        assert!(settings.deny_warnings);
        assert_eq!(settings.retire_window, 90);
        assert_eq!(settings.select, ["R412"]);
        assert_eq!(settings.fuel, DEFAULT_FUEL);
    }

    #[test]
    fn an_empty_file_is_all_defaults() {
        assert_eq!(project(""), Ok(Project::default()));
        assert_eq!(project("# nothing\n"), Ok(Project::default()));
    }

    #[test]
    fn a_wrong_type_says_where() {
        let error = project("check:\n  fuel: much\n").unwrap_err().to_string();
        assert!(error.contains("check.fuel") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn every_value_out_of_its_bounds_is_said_at_once() {
        let check = |text: &str| project(&format!("check: {{{text}}}")).map_err(|errors| errors.to_string());
        let all = check("retire_window: 36h, fuel: 0, coverage: 101, max_findings: 0").unwrap_err();
        for key in ["retire_window", "fuel", "coverage", "max_findings"] {
            assert!(all.contains(&format!("check.{key}: ")), "{key}\n{all}");
        }
        for (at_limit, beyond) in [
            ("fuel: 1000000000", "fuel: 1000000001"),
            ("coverage: 100", "coverage: 101"),
            ("retire_window: 3650d", "retire_window: 3651d"),
            ("max_findings: 1", "max_findings: 0"),
        ] {
            assert!(check(at_limit).is_ok(), "{at_limit}");
            assert!(check(beyond).is_err(), "{beyond}");
        }
    }

    #[test]
    fn providers_come_with_kind_and_fate_and_without_keys() {
        let text = "catalog: facts.yaml\nproviders:\n  vllm: {kind: self_hosted, key: '${UNSET}', shares_fate: rack}\n  b: {}\n";
        let project = project(text).unwrap();
        assert_eq!(project.catalog.as_deref(), Some("facts.yaml"));
        let kinds: Vec<_> = project.providers.iter().map(|one| (one.name.as_str(), one.kind)).collect();
        assert_eq!(
            kinds,
            [("b", crate::config::ProviderKind::Hosted), ("vllm", crate::config::ProviderKind::SelfHosted)]
        );
        assert_eq!(crate::config::shared_fates(&project.providers), [["vllm"]]);
        let error = super::project("providers: {a: {kind: selfhosted}}").unwrap_err().to_string();
        assert_eq!(error, "providers.a.kind: unknown kind `selfhosted`; write `self_hosted`");
    }
}
