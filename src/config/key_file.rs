//! The key file of a Google service account.
//!
//! In: the file's text. Out: a [`ServiceAccount`], or what is missing in it. Must not know: tokens.

use serde::Deserialize;

use super::base_url::BaseUrl;
use super::meant::Reader;
use super::secret::Secret;

/// A service account of Google.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Whom a token is for.
    pub email: Box<str>,
    /// Which of its keys signs.
    pub key_id: Option<Box<str>>,
    /// Signs; PEM.
    pub key: Secret,
    /// Gives tokens.
    pub token_url: BaseUrl,
    /// What a token is good for.
    pub scope: Box<str>,
}

/// The parts of a key file that are used.
#[derive(Deserialize)]
struct KeyFile {
    project_id: Option<String>,
    private_key_id: Option<String>,
    private_key: Option<String>,
    client_email: Option<String>,
    token_uri: Option<String>,
}

impl Reader<'_> {
    /// A key file as Google makes it, and the project it names.
    pub(super) fn key_file(
        &mut self,
        at: &str,
        path: &str,
        text: &str,
        scope: Box<str>,
    ) -> Option<(ServiceAccount, Option<String>)> {
        let file: KeyFile = match serde_json::from_str(text) {
            Ok(file) => file,
            Err(_) => {
                self.errors
                    .push(format!("{at}: `{path}` is no JSON object; it should be the key file of a service account"));
                return None;
            }
        };
        let mut needed = |name: &str, value: Option<String>| {
            if value.is_none() {
                self.errors
                    .push(format!("{at}: `{path}` has no `{name}`; it should be the key file of a service account"));
            }
            value
        };
        let email = needed("client_email", file.client_email);
        let key = needed("private_key", file.private_key);
        let token_url = needed("token_uri", file.token_uri)?;
        let (email, key) = (email?, key?);
        if !key.contains("-----BEGIN PRIVATE KEY-----") {
            self.errors.push(format!(
                "{at}: the `private_key` in `{path}` is no PEM private key; it should have `-----BEGIN PRIVATE KEY-----`"
            ));
            return None;
        }
        let token_url = self.url(&format!("{at}: `token_uri`"), &token_url)?;
        let account = ServiceAccount {
            email: email.into(),
            key_id: file.private_key_id.map(Into::into),
            key: Secret::new(&key),
            token_url,
            scope,
        };
        Some((account, file.project_id))
    }
}
