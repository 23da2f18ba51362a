//! What a token endpoint is told, and what it answers.
//!
//! In: a service account or an application, a time. Out: the form that asks for a token (RFC 7523, RFC 6749 section 4.4); the
//! token in the answer. Must not know: sockets, when a token is asked for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::json;

use crate::config::{Entra, Secret, ServiceAccount};

/// Longest answer of a token endpoint, in bytes.
pub const MAX_ANSWER: usize = 64 << 10;
/// Longest token, in bytes: larger than any provider's, small enough for a header.
pub const MAX_TOKEN: usize = 16 << 10;
/// How long an assertion is valid: the most that Google takes.
const ASSERTION: Duration = Duration::from_secs(3600);
/// How long a token is good for whose endpoint does not say.
const UNSAID: Duration = Duration::from_secs(300);
/// What a form may hold as it is.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What stands for a token.
pub enum Grant {
    /// A signed statement of a service account.
    Assertion {
        /// Who states it.
        account: ServiceAccount,
        /// Signs it.
        key: Box<KeyPair>,
    },
    /// An application's password.
    Password(Entra),
}

/// What an endpoint gave.
#[derive(Debug, PartialEq, Eq)]
pub struct Given {
    /// For `Authorization: Bearer`.
    pub token: Secret,
    /// How long it is good for.
    pub lifetime: Duration,
}

impl Grant {
    /// Of a service account, whose key is looked at here for the first time.
    ///
    /// # Errors
    /// When the key is none.
    pub fn of_account(account: &ServiceAccount) -> Result<Self, String> {
        let wrong =
            |_| "auth.file: its `private_key` is no RSA key in PKCS #8; take the key file as Google made it".to_owned();
        let der = PrivatePkcs8KeyDer::from_pem_slice(account.key.expose().as_bytes())
            .map_err(|error| wrong(error.to_string()))?;
        let key = KeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|error| wrong(error.to_string()))?;
        Ok(Self::Assertion { account: account.clone(), key: Box::new(key) })
    }

    /// The form that asks.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn form(&self, now: SystemTime) -> Result<String, String> {
        let fields = match self {
            Self::Assertion { account, key } => vec![
                ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()),
                ("assertion", assertion(account, key, now)?),
            ],
            Self::Password(entra) => vec![
                ("grant_type", "client_credentials".to_owned()),
                ("client_id", entra.client_id.to_string()),
                ("client_secret", entra.client_secret.expose().to_owned()),
                ("scope", entra.scope.to_string()),
            ],
        };
        let field = |(name, value): &(&str, String)| format!("{name}={}", utf8_percent_encode(value, FORM));
        Ok(fields.iter().map(field).collect::<Vec<_>>().join("&"))
    }
}

/// A JSON Web Token with RS256 (RFC 7515).
///
/// Written here because it is two objects and a signature: the crate for it brings a second library of cryptography, or one with
/// an open advisory, beside the `ring` that TLS uses.
fn assertion(account: &ServiceAccount, key: &KeyPair, now: SystemTime) -> Result<String, String> {
    let issued = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut header = json!({"alg": "RS256", "typ": "JWT"});
    if let Some(id) = &account.key_id {
        header["kid"] = json!(id);
    }
    let audience = account.token_url.to_string();
    let claims = json!({
        "iss": account.email, "scope": account.scope, "aud": audience, "iat": issued, "exp": issued + ASSERTION.as_secs(),
    });
    let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&header), encode(&claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .map_err(|_| "the service account's key cannot sign".to_owned())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    expires_in: Option<Seconds>,
    error: Option<String>,
}

/// Entra writes the number as text in some of its endpoints.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

/// What an endpoint answered.
///
/// # Errors
/// Without any of its words but the one that the standard knows: descriptions name accounts.
pub fn given(status: u16, body: &[u8]) -> Result<Given, String> {
    let answer: Option<Answer> = serde_json::from_slice(body).ok();
    let error = answer.as_ref().and_then(|answer| answer.error.as_deref());
    if !(200..300).contains(&status) {
        let plain =
            |word: &&str| word.len() <= 64 && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let word = error.filter(plain).map(|word| format!(": {word}")).unwrap_or_default();
        return Err(format!("the token endpoint answered {status}{word}"));
    }
    let answer = answer.ok_or("the token endpoint's answer is no JSON object")?;
    let token = answer.access_token.filter(|token| !token.is_empty());
    let token = token.ok_or("the token endpoint's answer has no `access_token`")?;
    if token.len() > MAX_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("the token endpoint's token is none: more than {MAX_TOKEN} bytes, or not plain text"));
    }
    let lifetime = match answer.expires_in {
        Some(Seconds::Number(seconds)) => Some(seconds),
        Some(Seconds::Text(text)) => text.parse().ok(),
        None => None,
    };
    Ok(Given { token: Secret::new(&token), lifetime: lifetime.map_or(UNSAID, Duration::from_secs) })
}

#[cfg(test)]
mod tests {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;
    use crate::config::BaseUrl;

    /// Made for this test and good for nothing else.
    const KEY: &str = include_str!("../../tests/keys/rsa.pem");

    fn account() -> ServiceAccount {
        let url = "https://oauth2.googleapis.com/token";
        ServiceAccount {
            email: "w@lab.example".into(),
            key_id: Some("k1".into()),
            key: Secret::new(KEY),
            token_url: BaseUrl::parse(url, url).unwrap(),
            scope: "https://www.googleapis.com/auth/cloud-platform".into(),
        }
    }

    #[test]
    fn an_assertion_says_who_asks_and_is_signed() {
        let grant = Grant::of_account(&account()).unwrap();
        let form = grant.form(UNIX_EPOCH + Duration::from_secs(1_000)).unwrap();
        let assertion =
            form.strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=").unwrap();
        let (signed, signature) = assertion.rsplit_once('.').unwrap();
        let Grant::Assertion { key, .. } = &grant else { panic!() };
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public().as_ref());
        public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
        let parts: Vec<serde_json::Value> = signed
            .split('.')
            .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        assert_eq!(parts[0], json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}));
        assert_eq!(
            parts[1],
            json!({
                "iss": "w@lab.example", "scope": "https://www.googleapis.com/auth/cloud-platform",
                "aud": "https://oauth2.googleapis.com/token", "iat": 1000, "exp": 4600,
            })
        );
    }

    #[test]
    fn a_password_is_escaped() {
        let url = "https://login.example/t/oauth2/v2.0/token";
        let grant = Grant::Password(Entra {
            client_id: "app".into(),
            client_secret: Secret::new("a&b=c d"),
            token_url: BaseUrl::parse(url, url).unwrap(),
            scope: "https://x/.default".into(),
        });
        assert_eq!(
            grant.form(UNIX_EPOCH).unwrap(),
            "grant_type=client_credentials&client_id=app&client_secret=a%26b%3Dc%20d&scope=https%3A%2F%2Fx%2F.default"
        );
    }

    #[test]
    fn a_key_that_is_none_is_said_without_it() {
        for key in ["", "s3cret", "-----BEGIN PRIVATE KEY-----\ns3cretAA\n-----END PRIVATE KEY-----\n"] {
            let error = Grant::of_account(&ServiceAccount { key: Secret::new(key), ..account() }).err().unwrap();
            assert!(error.contains("PKCS #8") && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn answers_are_read_and_descriptions_are_not_repeated() {
        let lifetime = |body: &str| given(200, body.as_bytes()).map(|given| given.lifetime.as_secs());
        assert_eq!(lifetime(r#"{"access_token":"t","expires_in":3599,"token_type":"Bearer"}"#), Ok(3599));
        assert_eq!(lifetime(r#"{"access_token":"t","expires_in":"3599"}"#), Ok(3599));
        assert_eq!(lifetime(r#"{"access_token":"t"}"#), Ok(300));
        for (size, fits) in [(MAX_TOKEN, true), (MAX_TOKEN + 1, false)] {
            assert_eq!(lifetime(&format!(r#"{{"access_token":"{}"}}"#, "t".repeat(size))).is_ok(), fits);
        }
        for body in ["", "[]", "{}", r#"{"access_token":""}"#, r#"{"access_token":"a\nb"}"#] {
            assert!(lifetime(body).is_err(), "{body}");
        }
        let refused = |status, body: &str| given(status, body.as_bytes()).unwrap_err();
        let body = r#"{"error":"invalid_grant","error_description":"account w@lab.example"}"#;
        assert_eq!(refused(400, body), "the token endpoint answered 400: invalid_grant");
        assert_eq!(refused(502, "<html>"), "the token endpoint answered 502");
        assert_eq!(refused(400, r#"{"error":"Who Are You"}"#), "the token endpoint answered 400");
    }
}
