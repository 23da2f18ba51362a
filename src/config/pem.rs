//! Certificates and keys in files.
//!
//! In: paths as typed. Out: [`Pem`]s that hold what their key asks for, as they were when the configuration was read. Must not
//! know: TLS.

use std::path::{Path, PathBuf};

use super::base_url::BaseUrl;
use super::meant::Reader;
use super::raw::RawProvider;
use super::secret::Secret;

const CERTIFICATE: [&str; 1] = ["CERTIFICATE"];
const PRIVATE_KEY: [&str; 3] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];
const ENCRYPTED: [&str; 2] = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"];

/// A PEM file with its content, so that a changed file is a changed configuration. Prints as its path.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Pem {
    path: PathBuf,
    content: Secret,
}

/// Who this sidecar is to a server that asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientCertificate {
    /// The certificate, and those between it and its authority.
    pub certificate: Pem,
    /// Its key.
    pub key: Pem,
}

impl Pem {
    /// A file that was read.
    pub fn new(path: PathBuf, content: &str) -> Self {
        Self { path, content: Secret::new(content) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn holds(&self, labels: &[&str]) -> bool {
        labels.iter().any(|label| self.content.expose().contains(&format!("-----BEGIN {label}-----")))
    }
}

impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pem({})", self.path.display())
    }
}

impl Reader<'_> {
    /// `ca_file`
    pub(super) fn authorities(&mut self, at: &str, path: Option<&str>) -> Option<Pem> {
        self.pem(&format!("{at}.ca_file"), path?, "certificate", &CERTIFICATE)
    }

    /// `client_cert_file` and `client_key_file`
    pub(super) fn client_certificate(
        &mut self,
        at: &str,
        raw: &RawProvider,
        base_url: Option<&BaseUrl>,
    ) -> Option<ClientCertificate> {
        let (certificate, key) = match (raw.client_cert_file.as_deref(), raw.client_key_file.as_deref()) {
            (None, None) => return None,
            (Some(certificate), Some(key)) => (certificate, key),
            (certificate, _) => {
                let (there, missing) = match certificate {
                    Some(_) => ("client_cert_file", "client_key_file"),
                    None => ("client_key_file", "client_cert_file"),
                };
                self.errors.push(format!("{at}.{there}: no use without `{missing}`; write both, or neither"));
                return None;
            }
        };
        if base_url.is_some_and(|url| !url.tls) {
            self.errors.push(format!(
                "{at}.client_cert_file: without TLS nobody asks for it; write `base_url: https://...`, or leave it out"
            ));
        }
        let certificate = self.pem(&format!("{at}.client_cert_file"), certificate, "certificate", &CERTIFICATE);
        let key = self.pem(&format!("{at}.client_key_file"), key, "private key", &PRIVATE_KEY);
        Some(ClientCertificate { certificate: certificate?, key: key? })
    }

    fn pem(&mut self, key: &str, path: &str, what: &str, labels: &[&str]) -> Option<Pem> {
        let (path, content) = self.read(key, path)?;
        let encrypted = ENCRYPTED.iter().any(|mark| content.contains(mark));
        let pem = Pem::new(path, &content);
        let path = pem.path.display();
        if encrypted {
            self.errors.push(format!(
                "{key}: the key in `{path}` needs a passphrase, and nobody is there to type it; write a key without one: \
                 `openssl pkey -in KEY -out NEW`"
            ));
            return None;
        }
        if !pem.holds(labels) {
            let begins = labels.first().unwrap_or(&what);
            self.errors.push(format!("{key}: `{path}` holds no PEM {what}; it should have `-----BEGIN {begins}-----`"));
            return None;
        }
        Some(pem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment};

    struct Files;

    impl Environment for Files {
        fn variable(&self, _: &str) -> Option<String> {
            None
        }
        fn file(&self, path: &Path) -> Result<String, String> {
            let text = match path.file_name().and_then(|name| name.to_str()) {
                Some("cert.pem") => "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                Some("key.pem") => "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n",
                Some("locked.pem") => {
                    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nsecret\n-----END ENCRYPTED PRIVATE KEY-----\n"
                }
                Some("hello") => "hello",
                _ => return Err("not found".to_owned()),
            };
            Ok(text.to_owned())
        }
    }

    fn read(keys: &str) -> Result<Config, String> {
        let text = format!("providers: {{lab: {{base_url: 'https://lab/v1', {keys}}}}}\n");
        Config::read(&text, Path::new("/etc"), &Files).map_err(|errors| errors.to_string())
    }

    #[test]
    fn files_are_read_with_the_configuration_and_never_printed() {
        let config = read("ca_file: cert.pem, client_cert_file: cert.pem, client_key_file: key.pem").unwrap();
        let lab = &config.providers["lab"];
        let client = lab.client_certificate.as_ref().unwrap();
        assert_eq!(lab.authorities.as_ref().unwrap().path(), Path::new("/etc/cert.pem"));
        assert_eq!(client.key.path(), Path::new("/etc/key.pem"));
        let files = ["/etc/cert.pem", "/etc/cert.pem", "/etc/key.pem"].map(PathBuf::from);
        assert_eq!(config.files, files);
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn what_cannot_be_used_says_what_to_write() {
        for (keys, wanted) in [
            ("client_cert_file: cert.pem", "lab.client_cert_file: no use without `client_key_file`"),
            ("client_key_file: key.pem", "lab.client_key_file: no use without `client_cert_file`"),
            ("ca_file: gone.pem", "lab.ca_file: cannot read `/etc/gone.pem`: not found"),
            ("ca_file: hello", "lab.ca_file: `/etc/hello` holds no PEM certificate"),
            (
                "client_cert_file: key.pem, client_key_file: key.pem",
                "client_cert_file: `/etc/key.pem` holds no PEM certificate",
            ),
            (
                "client_cert_file: cert.pem, client_key_file: cert.pem",
                "client_key_file: `/etc/cert.pem` holds no PEM private key",
            ),
            ("client_cert_file: cert.pem, client_key_file: locked.pem", "openssl pkey"),
        ] {
            let error = read(keys).unwrap_err();
            assert!(error.contains(wanted) && !error.contains("secret"), "{wanted}\n--- in\n{error}");
        }
        let text = "providers: {lab: {base_url: 'http://lab', client_cert_file: cert.pem, client_key_file: key.pem}}";
        let error = Config::read(text, Path::new("/etc"), &Files).unwrap_err().to_string();
        assert!(error.contains("without TLS nobody asks"), "{error}");
    }
}
