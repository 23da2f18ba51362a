//! How the tickets of a queue are delivered: the `queues:` section.
//!
//! In: its rows, the environment. Out: one [`Delivery`] a row. Must not know: policies, tickets.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::base_url::BaseUrl;
use super::known::ProviderKind;
use super::meant::Reader;
use super::provider::{OutputCap, Provider};
use super::raw::RawQueue;
use crate::names::Dialect;
use crate::units::Millis;

/// How long a delivery may take when nothing is said.
const DEFAULT_TIMEOUT: Millis = Millis::secs(2);
/// The longest it may take: the caller waits for it.
pub const MAX_TIMEOUT: Millis = Millis::secs(30);

/// How the tickets of one queue are delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// A service; each ticket is a POST.
    pub webhook: Arc<Provider>,
    /// How long that may take before the ticket goes to this disk.
    pub timeout: Millis,
}

impl Reader<'_> {
    pub(super) fn deliveries(&mut self, rows: &BTreeMap<String, RawQueue>) -> BTreeMap<String, Delivery> {
        rows.iter().filter_map(|(name, row)| Some((name.clone(), self.delivery(name, row)?))).collect()
    }

    fn delivery(&mut self, name: &str, row: &RawQueue) -> Option<Delivery> {
        let at = format!("queues.{name}");
        let timeout = self.time(&format!("{at}.timeout"), row.timeout.as_deref(), DEFAULT_TIMEOUT);
        if timeout > MAX_TIMEOUT || timeout == Millis(0) {
            self.errors.push(format!("{at}.timeout: {timeout} is not 1ms to {MAX_TIMEOUT}; a caller waits for it"));
        }
        let Some(url) = &row.webhook else {
            self.errors.push(format!(
                "{at}: no `webhook`; write `webhook: https://host/path`, or leave the queue out: its tickets wait in `spool`"
            ));
            return None;
        };
        let place = format!("{at}.webhook");
        let filled = self.filled(&place, url)?;
        let base_url = BaseUrl::parse(&filled, url);
        let mut base_url = base_url.map_err(|error| self.errors.push(format!("{place}: {error}"))).ok()?;
        // The whole address of the call, not where an API begins.
        if filled.ends_with('/') {
            base_url.path.push('/');
        }
        let mut headers = Vec::new();
        for (name, value) in &row.headers {
            let name = name.to_ascii_lowercase();
            headers.extend(self.secret(&format!("{at}.headers.{name}"), value).map(|value| (name, value)));
        }
        let authorities = self.authorities(&at, row.ca_file.as_deref());
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
            connect_timeout: Millis(timeout.0.div_ceil(2)),
            shares_fate: None,
            output_cap: OutputCap::MaxTokens,
        });
        Some(Delivery { webhook, timeout })
    }
}

#[cfg(test)]
mod tests {
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
    fn everything_wrong_says_what_to_write() {
        let text = "  a: {}\n  b: {webhook: 'desk'}\n  c: {webhook: 'http://h', timeout: 31s}\n";
        let errors = read(text).unwrap_err();
        for part in [
            "queues.a: no `webhook`; write `webhook: https://host/path`, or leave the queue out",
            "queues.b.webhook: `desk` ",
            "queues.c.timeout: 31s is not 1ms to 30s",
        ] {
            assert!(errors.contains(part), "{part}\n--- in\n{errors}");
        }
        assert!(read("  c: {webhook: 'http://h', timeout: 30s}\n").is_ok());
        assert!(read("  c: {webhook: 'http://h', timeout: 1ms}\n").is_ok());
        assert!(read("  c: {webhook: 'http://h', timeout: 0s}\n").unwrap_err().contains("0ms is not 1ms to 30s"));
        let unknown = read("  a: {webhok: x}\n").unwrap_err();
        assert!(unknown.contains("unknown key `queues.a.webhok`; did you mean `webhook`?"), "{unknown}");
    }

    #[test]
    fn no_part_of_a_url_that_may_be_secret_is_printed() {
        for url in
            ["${TOKEN}", "ftp://h/${TOKEN}", "https://u:s3cret@h/in", "https://h/in?token=s3cret", "h/a@b?s3cret"]
        {
            let errors = read(&format!("  a: {{webhook: '{url}'}}\n")).unwrap_err();
            assert!(errors.contains("queues.a.webhook: ") && !errors.contains("s3cret"), "{errors}");
        }
    }
}
