//! Who calls, what for and how long they will wait, out of the request's head and body.
//!
//! In: headers, the names they go by, a scanned body. Out: [`Head`], claims, attribute values. Must not know: which values are
//! valid.
//!
//! A header that decides and stands there twice, or is not text, is refused: two readers of one request must not come to two
//! answers.

use std::borrow::Cow;

use http::HeaderName;

use crate::config::Identity;
use crate::dialect::scan::{Modalities, Scan};
use crate::dialect::{Found, Headers};
use crate::policy::admit::Claims;
use crate::policy::checked::{Attribute, AttributeSource, Endpoint, Modality};
use crate::policy::facts::ModalitySet;
use crate::units::Millis;

/// With it a caller shortens the deadline, in milliseconds.
pub const DEADLINE: HeaderName = HeaderName::from_static("x-wayside-deadline-ms");

/// A header that cannot be used: a 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadHeader {
    /// Which.
    pub name: String,
    /// What is wrong with it and what to send instead.
    pub message: String,
}

impl BadHeader {
    /// A stable word for programs.
    pub const CODE: &'static str = "invalid_header";

    fn new(name: &str, what: &str) -> Self {
        Self { name: name.to_owned(), message: format!("Header `{name}` {what}") }
    }
}

/// What the head says. Absent is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head<'h> {
    /// Tenant.
    pub tenant: Option<&'h str>,
    /// User.
    pub user: Option<&'h str>,
    /// Plan.
    pub plan: Option<&'h str>,
    /// Residency.
    pub residency: Option<&'h str>,
    /// Feature.
    pub feature: Option<&'h str>,
    /// `interactive` or `batch`.
    pub priority: Option<&'h str>,
    /// The caller's own deadline, from admission.
    pub deadline: Option<Millis>,
}

/// The same, kept while the body is read from the connection that holds the headers.
#[derive(Debug, Default)]
pub struct Kept {
    /// In the order of [`Head`]'s fields.
    texts: [Option<Box<str>>; 6],
    deadline: Option<Millis>,
}

impl Kept {
    /// What was kept.
    pub fn head(&self) -> Head<'_> {
        let [tenant, user, plan, residency, feature, priority] = self.texts.each_ref().map(Option::as_deref);
        Head { tenant, user, plan, residency, feature, priority, deadline: self.deadline }
    }
}

impl<'h> Head<'h> {
    /// Apart from the headers.
    pub fn keep(self) -> Kept {
        let Self { tenant, user, plan, residency, feature, priority, deadline } = self;
        Kept { texts: [tenant, user, plan, residency, feature, priority].map(|text| text.map(Into::into)), deadline }
    }

    /// Reads the identity headers and the deadline, and checks the headers that `attributes` come from.
    ///
    /// # Errors
    /// [`BadHeader`] for one that stands there twice, is not text, or is no deadline.
    pub fn read(
        headers: &'h (impl Headers + ?Sized),
        names: &Identity,
        attributes: &[Attribute],
    ) -> Result<Self, BadHeader> {
        for source in attributes.iter().flat_map(|attribute| &attribute.sources) {
            if let AttributeSource::Header(name) = source {
                single(headers.find(name), name)?;
            }
        }
        let named = |name: &HeaderName| single(headers.named(name), name.as_str());
        Ok(Self {
            tenant: named(&names.tenant_header)?,
            user: named(&names.user_header)?,
            plan: named(&names.plan_header)?,
            residency: named(&names.residency_header)?,
            feature: named(&names.feature_header)?,
            priority: named(&names.priority_header)?,
            deadline: named(&DEADLINE)?.map(deadline).transpose()?,
        })
    }

    /// What the request claims. `attributes` finds the value of an attribute: see [`attribute`].
    pub fn claims<'a>(
        &self,
        scan: &'a Scan,
        endpoint: Endpoint,
        region: Option<&'a str>,
        attributes: &'a dyn Fn(&Attribute) -> Option<Cow<'a, str>>,
    ) -> Claims<'a>
    where
        'h: 'a,
    {
        Claims {
            endpoint,
            tenant: self.tenant,
            user: self.user.or(scan.user.as_deref()),
            plan: self.plan,
            residency: self.residency,
            feature: self.feature,
            priority: self.priority,
            region,
            requested_model: &scan.model,
            max_tokens: scan.max_output.unwrap_or(0),
            streaming: scan.stream,
            tools: scan.tools,
            json_schema: scan.json_schema,
            modality: modality(scan.modalities),
            attributes,
        }
    }
}

/// The value of an attribute: from the first of its sources that has one.
pub fn attribute<'a>(
    headers: &'a (impl Headers + ?Sized),
    scan: &'a Scan,
    attribute: &Attribute,
) -> Option<Cow<'a, str>> {
    attribute.sources.iter().find_map(|source| match source {
        AttributeSource::Header(name) => headers.get(name).map(Cow::Borrowed),
        AttributeSource::Metadata(wanted) => {
            let pair = scan.metadata.iter().find(|(key, _)| **key == **wanted)?;
            Some(Cow::Borrowed(&*pair.1))
        }
        // Claims need a verified token, which no listener of this version asks for.
        AttributeSource::Claim(_) => None,
    })
}

/// Whether `metadata` has to be looked at.
pub fn wants_metadata(attributes: &[Attribute]) -> bool {
    let mut sources = attributes.iter().flat_map(|attribute| &attribute.sources);
    sources.any(|source| matches!(source, AttributeSource::Metadata(_)))
}

fn single<'h>(found: Found<'h>, name: &str) -> Result<Option<&'h str>, BadHeader> {
    match found {
        Found::Absent => Ok(None),
        Found::One(value) => Ok(Some(value)),
        Found::NotText => Err(BadHeader::new(name, "holds bytes that are not visible ASCII. Send plain text.")),
        Found::Many { .. } => Err(BadHeader::new(name, "stands in the request more than once. Send it once.")),
    }
}

fn deadline(text: &str) -> Result<Millis, BadHeader> {
    let bad = || BadHeader::new(DEADLINE.as_str(), "must be a whole number of milliseconds, 1 or more.");
    text.trim().parse().ok().filter(|deadline| *deadline > 0).map(Millis).ok_or_else(bad)
}

/// A prompt without any part still is a text prompt.
fn modality(found: Modalities) -> ModalitySet {
    let members = [
        (found.text, Modality::Text),
        (found.image, Modality::Image),
        (found.audio, Modality::Audio),
        (found.video, Modality::Video),
        (found.file, Modality::File),
    ];
    let set = members.into_iter().filter(|(there, _)| *there);
    let set = set.fold(ModalitySet::EMPTY, |set, (_, member)| set.with(member));
    if set == ModalitySet::EMPTY { ModalitySet::TEXT } else { set }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::chat::request::scan;
    use crate::dialect::scan::Wants;
    use crate::policy::checked::AttributeDomain;
    use crate::policy::source::{FileId, Span};

    fn names() -> Identity {
        Identity {
            tenant_header: HeaderName::from_static("x-wayside-tenant"),
            user_header: HeaderName::from_static("x-wayside-user"),
            plan_header: HeaderName::from_static("x-wayside-plan"),
            residency_header: HeaderName::from_static("x-wayside-residency"),
            feature_header: HeaderName::from_static("x-team-feature"),
            priority_header: HeaderName::from_static("x-wayside-priority"),
            default_plan: None,
            default_residency: None,
            default_feature: None,
        }
    }

    fn attributes(sources: Vec<AttributeSource>) -> Vec<Attribute> {
        let domain = AttributeDomain::Text;
        let span = Span { file: FileId(0), lo: 0, hi: 0 };
        vec![Attribute { name: "channel".into(), domain, sources, default: None, span }]
    }

    #[test]
    fn identity_comes_from_the_configured_headers() {
        let headers = [
            ("X-Wayside-Tenant", "acme"),
            ("x-team-feature", "search"),
            ("x-wayside-deadline-ms", "1500"),
            ("other", "x"),
        ];
        let head = Head::read(&headers[..], &names(), &[]).unwrap();
        let wanted =
            Head { tenant: Some("acme"), feature: Some("search"), deadline: Some(Millis(1500)), ..Head::default() };
        assert_eq!(head, wanted);
    }

    #[test]
    fn a_deciding_header_that_stands_there_twice_is_refused() {
        for value in ["acme", "other"] {
            let headers = [("x-wayside-tenant", "acme"), ("x-wayside-tenant", value)];
            let bad = Head::read(&headers[..], &names(), &[]).unwrap_err();
            assert!(bad.name == "x-wayside-tenant" && bad.message.contains("more than once"), "{bad:?}");
        }
        let headers = [("x-channel", "a"), ("x-channel", "b")];
        let attributes = attributes(vec![AttributeSource::Header("x-channel".into())]);
        assert!(Head::read(&headers[..], &names(), &[]).is_ok());
        assert_eq!(Head::read(&headers[..], &names(), &attributes).unwrap_err().name, "x-channel");
    }

    #[test]
    fn a_deadline_is_a_positive_number_of_milliseconds() {
        for text in ["0", "-5", "1.5", "soon", "", "1s"] {
            let headers = [("x-wayside-deadline-ms", text)];
            assert_eq!(Head::read(&headers[..], &names(), &[]).unwrap_err().name, DEADLINE.as_str(), "{text}");
        }
    }

    #[test]
    fn an_attribute_comes_from_the_first_source_that_has_it() {
        let sources = vec![AttributeSource::Header("x-channel".into()), AttributeSource::Metadata("channel".into())];
        let attributes = attributes(sources);
        assert!(wants_metadata(&attributes));
        let body = br#"{"model":"m","messages":[{}],"metadata":{"channel":"web"}}"#;
        let scan = scan(body, Wants { metadata: true }).unwrap();
        let value = |headers: &[(&str, &str)]| attribute(headers, &scan, &attributes[0]).map(Cow::into_owned);
        assert_eq!(value(&[("x-channel", "chat")]).as_deref(), Some("chat"));
        assert_eq!(value(&[]).as_deref(), Some("web"));
    }

    #[test]
    fn claims_join_head_and_body() {
        let body = br#"{"model":"m","messages":[{"content":[{"type":"image_url"}]}],"max_tokens":5,"user":"kim","stream":true}"#;
        let scan = scan(body, Wants::default()).unwrap();
        let head = Head { feature: Some("search"), ..Head::default() };
        let claims = head.claims(&scan, Endpoint::Chat, Some("eu"), &|_| None);
        assert_eq!((claims.requested_model, claims.max_tokens, claims.streaming), ("m", 5, true));
        assert_eq!((claims.user, claims.feature, claims.region), (Some("kim"), Some("search"), Some("eu")));
        assert_eq!(claims.modality, ModalitySet::EMPTY.with(Modality::Image));
        let named = Head { user: Some("lee"), ..Head::default() };
        assert_eq!(named.claims(&scan, Endpoint::Chat, None, &|_| None).user, Some("lee"));
    }
}
