//! How the tickets of a queue are delivered: the `queues:` section.
//!
//! In: its rows, the environment. Out: one [`Delivery`] a row. Must not know: policies, tickets.

use std::collections::BTreeMap;
#[cfg(feature = "serve")]
use std::sync::Arc;

use super::base_url::BaseUrl;
#[cfg(feature = "serve")]
use super::known::ProviderKind;
#[cfg(feature = "serve")]
use super::meant::Reader;
#[cfg(feature = "serve")]
use super::provider::{OutputCap, Provider};
use super::raw::RawQueue;
use super::secret::Secret;
#[cfg(feature = "serve")]
use crate::names::Dialect;
use crate::units::Millis;

/// How long a delivery may take when nothing is said.
const DEFAULT_TIMEOUT: Millis = Millis::secs(2);
/// The longest it may take: the caller waits for it.
pub const MAX_TIMEOUT: Millis = Millis::secs(30);

/// How the tickets of one queue are delivered.
#[cfg(feature = "serve")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// A service; each ticket is a POST.
    pub webhook: Arc<Provider>,
    /// What its address has behind `?`.
    pub query: Option<Secret>,
    /// How long that may take before the ticket goes to this disk.
    pub timeout: Millis,
}

/// A row as far as it can be judged without variables and files.
#[cfg_attr(not(feature = "serve"), allow(dead_code, reason = "the language tools judge it and deliver nothing"))]
struct Row<'a> {
    /// As written.
    webhook: &'a str,
    timeout: Millis,
}

/// Judges every row where no key and no variable may be had; what is wrong goes to `errors`.
pub(super) fn judge(rows: &BTreeMap<String, RawQueue>, errors: &mut Vec<String>) {
    for (name, raw) in rows {
        let at = format!("queues.{name}");
        let Some(row) = Row::of(&at, raw, errors) else { continue };
        // What a variable makes of it is seen where the variable is.
        if !row.webhook.contains("${") {
            row.webhook(&at, row.webhook, errors);
        }
    }
}

impl<'a> Row<'a> {
    fn of(at: &str, raw: &'a RawQueue, errors: &mut Vec<String>) -> Option<Self> {
        let timeout = raw.timeout.as_deref().map_or(Ok(DEFAULT_TIMEOUT), str::parse);
        let timeout = timeout.unwrap_or_else(|error: String| {
            errors.push(format!("{at}.timeout: {error}"));
            DEFAULT_TIMEOUT
        });
        if timeout > MAX_TIMEOUT || timeout == Millis(0) {
            errors.push(format!("{at}.timeout: {timeout} is not 1ms to {MAX_TIMEOUT}; a caller waits for it"));
        }
        let Some(webhook) = &raw.webhook else {
            errors.push(format!(
                "{at}: no `webhook`; write `webhook: https://host/path`, or leave the queue out: its tickets wait in `spool`"
            ));
            return None;
        };
        Some(Self { webhook, timeout })
    }

    fn webhook(&self, at: &str, filled: &str, errors: &mut Vec<String>) -> Option<(BaseUrl, Option<Secret>)> {
        let url = BaseUrl::with_query(filled, self.webhook);
        url.map_err(|error| errors.push(format!("{at}.webhook: {error}"))).ok()
    }
}

#[cfg(feature = "serve")]
impl Reader<'_> {
    pub(super) fn deliveries(&mut self, rows: &BTreeMap<String, RawQueue>) -> BTreeMap<String, Delivery> {
        rows.iter().filter_map(|(name, row)| Some((name.clone(), self.delivery(name, row)?))).collect()
    }

    fn delivery(&mut self, name: &str, raw: &RawQueue) -> Option<Delivery> {
        let at = format!("queues.{name}");
        let row = Row::of(&at, raw, self.errors)?;
        let filled = self.filled(&format!("{at}.webhook"), row.webhook)?;
        let (base_url, query) = row.webhook(&at, &filled, self.errors)?;
        let mut headers = Vec::new();
        for (name, value) in &raw.headers {
            let name = name.to_ascii_lowercase();
            headers.extend(self.secret(&format!("{at}.headers.{name}"), value).map(|value| (name, value)));
        }
        let authorities = self.authorities(&at, raw.ca_file.as_deref());
        let webhook = Arc::new(Provider {
            name: at.as_str().into(),
            kind: ProviderKind::Hosted,
            dialect: Dialect::Chat,
            base_url,
            key: None,
            caller_key: false,
            headers,
            authorities,
            client_certificate: None,
            tunnel: None,
            // Half of the time, so that an address that says nothing leaves some for the next.
            connect_timeout: Millis(row.timeout.0.div_ceil(2)),
            shares_fate: None,
            output_cap: OutputCap::MaxTokens,
        });
        Some(Delivery { webhook, query, timeout: row.timeout })
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::project;

    fn judged(rows: &str) -> Result<(), String> {
        project(&format!("queues:\n{rows}")).map(drop).map_err(|errors| errors.to_string())
    }

    #[test]
    fn everything_wrong_says_what_to_write() {
        let text = "  a: {}\n  b: {webhook: 'desk'}\n  c: {webhook: 'http://h', timeout: 31s}\n  d: {webhook: 'http://h', timeout: 5}\n";
        let errors = judged(text).unwrap_err();
        for part in [
            "queues.a: no `webhook`; write `webhook: https://host/path`, or leave the queue out",
            "queues.b.webhook: `desk` ",
            "queues.c.timeout: 31s is not 1ms to 30s",
            "queues.d.timeout: `5` is not a duration",
        ] {
            assert!(errors.contains(part), "{part}\n--- in\n{errors}");
        }
        assert_eq!(judged("  c: {webhook: 'http://h', timeout: 30s}\n"), Ok(()));
        assert_eq!(judged("  c: {webhook: 'http://h', timeout: 1ms}\n"), Ok(()));
        assert!(judged("  c: {webhook: 'http://h', timeout: 0s}\n").unwrap_err().contains("0ms is not 1ms to 30s"));
        let unknown = judged("  a: {webhok: x}\n").unwrap_err();
        assert!(unknown.contains("unknown key `queues.a.webhok`; did you mean `webhook`?"), "{unknown}");
    }

    #[test]
    fn who_checks_needs_no_variable_and_no_file_of_who_serves() {
        let row = "webhook: '${DESK_URL}', headers: {authorization: 'file:token'}, ca_file: ca.pem";
        assert_eq!(judged(&format!("  a: {{{row}}}\n")), Ok(()));
    }

    #[test]
    fn no_part_of_a_url_that_may_be_secret_is_said() {
        for url in ["ftp://h/?s3cret", "https://u:s3cret@h/in", "h/a@b?s3cret", "https://h/in?a=\"s3cret\""] {
            let errors = judged(&format!("  a: {{webhook: '{url}'}}\n")).unwrap_err();
            assert!(errors.contains("queues.a.webhook: ") && !errors.contains("s3cret"), "{errors}");
        }
    }
}

#[cfg(all(test, feature = "serve"))]
mod serve_tests {
    use std::path::Path;

    use super::super::{Config, Environment};
    use super::*;

    struct Fake;

    impl Environment for Fake {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "TOKEN").then(|| "s3cret".to_owned())
        }
        fn file(&self, _: &Path) -> Result<String, String> {
            Err("not found".to_owned())
        }
    }

    fn read(rows: &str) -> Result<BTreeMap<String, Delivery>, String> {
        let text = format!("queues:\n{rows}");
        Config::read(&text, Path::new("/etc"), &Fake).map(|config| config.queues).map_err(|errors| errors.to_string())
    }

    #[test]
    fn rows_are_read_and_no_secret_prints() {
        let text = "  desk: {webhook: 'https://desk.example/in', headers: {Authorization: 'Bearer ${TOKEN}'}, timeout: 500ms}\n  \
                    night: {webhook: 'http://127.0.0.1:9/in/'}\n";
        let queues = read(text).unwrap();
        let desk = &queues["desk"].webhook;
        assert_eq!(
            (desk.base_url.to_string(), desk.headers[0].0.as_str(), desk.headers[0].1.expose()),
            ("https://desk.example/in".to_owned(), "authorization", "Bearer s3cret")
        );
        assert_eq!((queues["desk"].timeout, queues["night"].timeout), (Millis(500), DEFAULT_TIMEOUT));
        assert_eq!((desk.connect_timeout, &*queues["night"].webhook.base_url.path), (Millis(250), "/in/"));
        assert!(!format!("{queues:?}").contains("s3cret"));
    }

    #[test]
    fn a_query_is_taken_as_it_is_written_and_never_prints() {
        for (url, path) in [("http://h?k=${TOKEN}", "/"), ("http://h/in?k=${TOKEN}", "/in"), ("http://h/in/?k=${TOKEN}", "/in/")] {
            let queues = read(&format!("  a: {{webhook: '{url}'}}\n")).unwrap();
            let (webhook, query) = (&queues["a"].webhook, &queues["a"].query);
            assert_eq!((&*webhook.base_url.path, query.as_ref().unwrap().expose()), (path, "k=s3cret"));
            assert!(!format!("{queues:?}").contains("s3cret"));
        }
        assert_eq!(read("  a: {webhook: 'http://h/in'}\n").unwrap()["a"].query, None);
    }

    #[test]
    fn a_variable_that_makes_no_url_is_not_printed() {
        for url in ["${TOKEN}", "ftp://h/${TOKEN}", "https://u:${TOKEN}@h/in"] {
            let errors = read(&format!("  a: {{webhook: '{url}'}}\n")).unwrap_err();
            assert!(errors.contains("queues.a.webhook: ") && !errors.contains("s3cret"), "{errors}");
        }
    }
}
