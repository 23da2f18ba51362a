//! AWS signatures, version 4, in the headers of a request.
//!
//! In: a request's parts, keys, a time. Out: the headers that prove who sends it. Must not know: the clock, sockets, what is
//! asked.
//!
//! Amazon's own crate signs; this room picks what is signed: the host, the media type and the body.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::config::SigV4;

/// Headers that a request is sent with.
pub type Headers = SmallVec<[(HeaderName, HeaderValue); 3]>;

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `POST`
    pub method: &'a str,
    /// As in the `Host` header.
    pub host: &'a str,
    /// As in the request line, query included.
    pub path: &'a str,
    /// Names in lower case; the host is signed in any case.
    pub headers: &'a [(&'a str, &'a str)],
    /// In order.
    pub body: &'a [Bytes],
}

/// Keys that are ready to sign.
pub struct Signer {
    credentials: Credentials,
    region: Box<str>,
    service: Box<str>,
}

impl Signer {
    /// With these keys.
    pub fn new(keys: &SigV4) -> Self {
        let token = keys.session_token.as_ref().map(|token| token.expose().to_owned());
        Self {
            credentials: Credentials::new(keys.access_key.expose(), keys.secret_key.expose(), token, None, "wayside"),
            region: keys.region.clone(),
            service: keys.service.clone(),
        }
    }

    /// The headers `authorization`, `x-amz-date` and, with temporary keys, `x-amz-security-token`. They are valid for minutes.
    ///
    /// # Errors
    /// When the path is none, or a key holds what no header can.
    pub fn headers(&self, request: &Request<'_>, now: SystemTime) -> Result<Headers, String> {
        let identity = self.credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| error.to_string())?;
        let url = format!("https://{}{}", request.host, request.path);
        let named = [("host", request.host)].into_iter().chain(request.headers.iter().copied());
        let body = SignableBody::Precomputed(sha256(request.body));
        let signable =
            SignableRequest::new(request.method, url, named, body).map_err(|error| format!("cannot sign: {error}"))?;
        let signed = sign(signable, &params.into()).map_err(|error| format!("cannot sign: {error}"))?;
        let (headers, _) = signed.into_parts().0.into_parts();
        headers
            .into_iter()
            .map(|header| {
                let mut value = HeaderValue::from_str(header.value()).map_err(|_| "a key holds a control character")?;
                value.set_sensitive(header.name() != "x-amz-date");
                Ok((HeaderName::from_static(header.name()), value))
            })
            .collect()
    }
}

fn sha256(body: &[Bytes]) -> String {
    let mut hash = Sha256::new();
    body.iter().for_each(|part| hash.update(part));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::config::Secret;

    /// 2015-08-30T12:36:00Z
    const THEN: Duration = Duration::from_secs(1_440_938_160);

    fn signed(request: &Request<'_>, token: Option<&str>) -> Vec<(String, String)> {
        let keys = SigV4 {
            region: "us-east-1".into(),
            service: "service".into(),
            access_key: Secret::new("AKIDEXAMPLE"),
            secret_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: token.map(Secret::new),
        };
        let headers = Signer::new(&keys).headers(request, UNIX_EPOCH + THEN).unwrap();
        let mut shown: Vec<_> =
            headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        shown.sort();
        shown
    }

    fn request<'a>(
        method: &'a str,
        path: &'a str,
        headers: &'a [(&'a str, &'a str)],
        body: &'a [Bytes],
    ) -> Request<'a> {
        Request { method, host: "example.amazonaws.com", path, headers, body }
    }

    /// Cases of AWS's published test suite (`aws-signing-test-suite`, v4): `get-vanilla`, `post-vanilla`,
    /// `post-x-www-form-urlencoded`.
    #[test]
    fn signatures_are_those_that_aws_publishes() {
        let form: &[(&str, &str)] = &[
            ("content-length", "13"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-amz-content-sha256", "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"),
        ];
        let halves = [Bytes::from_static(b"Param1"), Bytes::from_static(b"=value1")];
        for (request, names, signature) in [
            (
                request("GET", "/", &[], &[]),
                "host;x-amz-date",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                request("POST", "/", &[], &[]),
                "host;x-amz-date",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                request("POST", "/", form, &halves),
                "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
                "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
            ),
        ] {
            let authorization = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={names}, \
                 Signature={signature}"
            );
            let wanted =
                [("authorization".to_owned(), authorization), ("x-amz-date".to_owned(), "20150830T123600Z".to_owned())];
            assert_eq!(signed(&request, None), wanted, "{request:?}");
        }
    }

    /// `get-vanilla-with-session-token`
    #[test]
    fn a_session_token_is_sent_and_signed() {
        let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
        let headers = signed(&request("GET", "/", &[], &[]), Some(token));
        let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["authorization", "x-amz-date", "x-amz-security-token"]);
        let end = "SignedHeaders=host;x-amz-date;x-amz-security-token, \
                   Signature=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8";
        assert!(headers[0].1.ends_with(end), "{}", headers[0].1);
        assert_eq!(headers[2].1, token);
    }

    /// What botocore 1.44.8 signs for the same call: the escape in the path is escaped once more.
    #[test]
    fn a_call_to_bedrock_is_signed_as_the_official_client_signs_it() {
        let keys = SigV4 {
            region: "eu-central-1".into(),
            service: "bedrock".into(),
            access_key: Secret::new("AKIDEXAMPLE"),
            secret_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: None,
        };
        let call = Request {
            method: "POST",
            host: "bedrock-runtime.eu-central-1.amazonaws.com",
            path: "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream",
            headers: &[("content-type", "application/json")],
            body: &[Bytes::from_static(br#"{"messages":[]}"#)],
        };
        let headers = Signer::new(&keys).headers(&call, UNIX_EPOCH + THEN).unwrap();
        let authorization = headers.iter().find(|(name, _)| name == "authorization").unwrap().1.to_str().unwrap();
        let end = "SignedHeaders=content-type;host;x-amz-date, \
                   Signature=7a623536f465189fb2e50a49480898d6c0255e29e8b26acb7ebb1389f94801b8";
        assert!(authorization.ends_with(end), "{authorization}");
    }

    #[test]
    fn every_part_is_signed() {
        let signature = |request: Request<'_>| signed(&request, None)[0].1.clone();
        let body = [Bytes::from_static(b"{}")];
        let usual = signature(request("POST", "/model/a/converse", &[], &body));
        let json: &[(&str, &str)] = &[("content-type", "application/json")];
        for other in [
            request("POST", "/model/b/converse", &[], &body),
            request("POST", "/model/a/converse", json, &body),
            request("POST", "/model/a/converse", &[], &[Bytes::from_static(b"{} ")]),
            Request { host: "example.org", ..request("POST", "/model/a/converse", &[], &body) },
        ] {
            assert_ne!(signature(other), usual, "{other:?}");
        }
        let parts = [Bytes::from_static(b"{"), Bytes::new(), Bytes::from_static(b"}")];
        assert_eq!(signature(request("POST", "/model/a/converse", &[], &parts)), usual);
    }

    #[test]
    fn a_key_that_no_header_can_hold_is_an_error() {
        let keys = SigV4 {
            region: "r".into(),
            service: "s".into(),
            access_key: Secret::new("a\nb"),
            secret_key: Secret::new("s"),
            session_token: None,
        };
        let error = Signer::new(&keys).headers(&request("POST", "/", &[], &[]), UNIX_EPOCH + THEN).unwrap_err();
        assert!(!error.contains("a\nb"), "{error}");
    }
}
