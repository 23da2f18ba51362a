//! From what a request says about itself to facts, or to a clear refusal (sections 3.1, 4.2 and 5.2, steps 1 and 2).
//!
//! In: strings out of headers, bodies, `key=value` arguments or tests. Out: [`Facts`] of one policy, or a [`Refusal`]. Must not
//! know: HTTP, files. Nothing is guessed: a value outside its domain is refused, never replaced by a default.

mod memo;
mod refusal;

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;

use self::memo::{Memo, Requested};
pub use self::refusal::{MAX_SHOWN_NAMES, MAX_SHOWN_VALUE, Reason, Refusal};
use super::checked::{
    Attribute, AttributeDomain, AttributeValue, Checked, Endpoint, Subject, Tenant, TenantId, TierId,
};
use super::facts::{Facts, ModalitySet, Priority, PromptSize};
use super::fingerprint;
use crate::catalog::{Catalog, Entry, Resolved};
use crate::names::ModelRef;

/// What a request says about itself. Absent and empty are the same.
#[derive(Clone)]
pub struct Claims<'a> {
    /// Which API endpoint was called.
    pub endpoint: Endpoint,
    /// Who calls.
    pub tenant: Option<&'a str>,
    /// Which person or process there.
    pub user: Option<&'a str>,
    /// The plan it claims to be on.
    pub plan: Option<&'a str>,
    /// The residency it claims.
    pub residency: Option<&'a str>,
    /// What the call is for.
    pub feature: Option<&'a str>,
    /// `interactive` or `batch`.
    pub priority: Option<&'a str>,
    /// Where this sidecar runs.
    pub region: Option<&'a str>,
    /// The model named in the body.
    pub requested_model: &'a str,
    /// The caller's own cap on the answer; 0 when not given.
    pub max_tokens: u64,
    /// The caller wants a stream.
    pub streaming: bool,
    /// The caller offers tools.
    pub tools: bool,
    /// The caller demands schema-conforming output.
    pub json_schema: bool,
    /// What the prompt contains.
    pub modality: ModalitySet,
    /// Finds the value of a declared attribute.
    pub attributes: &'a dyn Fn(&Attribute) -> Option<Cow<'a, str>>,
}

impl<'a> Claims<'a> {
    /// A chat request that says nothing.
    pub fn new() -> Self {
        Self {
            endpoint: Endpoint::Chat,
            tenant: None,
            user: None,
            plan: None,
            residency: None,
            feature: None,
            priority: None,
            region: None,
            requested_model: "",
            max_tokens: 0,
            streaming: false,
            tools: false,
            json_schema: false,
            modality: ModalitySet::TEXT,
            attributes: &|_| None,
        }
    }
}

impl Default for Claims<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// What holds for callers that state nothing and have no tenant row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Defaults<'a> {
    /// A declared plan.
    pub plan: Option<&'a str>,
    /// A declared residency; `anywhere` when `None`.
    pub residency: Option<&'a str>,
    /// A declared feature; `none` when `None`.
    pub feature: Option<&'a str>,
}

/// The door of one policy: every lookup that can be done before a request comes is done.
#[derive(Clone, Debug)]
pub struct Door {
    checked: Arc<Checked>,
    catalog: Arc<Catalog>,
    tenants: FxHashMap<Arc<str>, TenantId>,
    /// Snapshots of the policy, by the catalog's key for them.
    snapshots: FxHashMap<ModelRef, u16>,
    memo: Arc<Memo>,
    plan: Option<u16>,
    residency: u16,
    feature: Option<u16>,
    tests_plan: bool,
    hash: Arc<OnceLock<Arc<str>>>,
}

impl Door {
    /// Prepares admission.
    ///
    /// # Errors
    /// When a default is not declared in this policy.
    pub fn new(checked: Arc<Checked>, catalog: Arc<Catalog>, defaults: Defaults<'_>) -> Result<Self, Refusal> {
        let plan = defaults.plan.filter(|_| !checked.plans.is_empty());
        let plan = plan.map(|name| find_plan(&checked, name)).transpose()?;
        let residency = defaults.residency.map(|name| find_residency(&checked, name)).transpose()?;
        let feature = defaults.feature.map(|name| find_feature(&checked, name)).transpose()?.flatten();
        let tenants = checked.tenants.iter().enumerate();
        let tenants = tenants.map(|(at, tenant)| (tenant.name.clone(), TenantId(at as u32))).collect();
        let snapshots = checked.snapshots.iter().enumerate();
        let snapshots = snapshots.map(|(at, snapshot)| (snapshot.model.clone(), at as u16)).collect();
        let tests_plan = checked.columns.iter().any(|column| column.subject == Subject::Plan);
        let residency = residency.unwrap_or(0);
        let (memo, hash) = Default::default();
        Ok(Self { checked, catalog, tenants, snapshots, memo, plan, residency, feature, tests_plan, hash })
    }

    /// The policy behind this door.
    pub const fn checked(&self) -> &Arc<Checked> {
        &self.checked
    }

    /// The hash of that policy.
    pub fn hash(&self) -> &Arc<str> {
        self.hash.get_or_init(|| fingerprint::of(&self.checked))
    }

    /// Facts, or the first reason why not.
    ///
    /// # Errors
    /// A [`Refusal`] that names the value, what would be valid, and the nearest valid name.
    pub fn admit(&self, claims: &Claims<'_>, prompt: &mut dyn PromptSize) -> Result<Facts, Refusal> {
        let checked = &*self.checked;
        if !checked.endpoints.contains(&claims.endpoint) {
            return Err(Refusal::endpoint(claims.endpoint.word(), checked.endpoints.iter().map(|one| one.word())));
        }
        let tenant = said(claims.tenant).and_then(|name| self.tenants.get(name).copied());
        let row = tenant.map(|id| &checked.tenants[id.index()]);
        let plan = self.plan(claims, row)?;
        let residency = self.residency(claims, row)?;
        let feature = match said(claims.feature) {
            // The subject is absent from policies that declare none, so nobody can be wrong about it there.
            Some(name) if !checked.features.is_empty() => find_feature(checked, name)?,
            _ => self.feature,
        };
        let priority = said(claims.priority).map_or(Ok(Priority::Interactive), |word| {
            let found = Priority::ALL.into_iter().find(|one| one.word() == word);
            found.ok_or_else(|| Refusal::value("priority", word, &Priority::ALL.map(Priority::word)))
        })?;
        let attributes =
            checked.attributes.iter().map(|attribute| attribute_value(attribute, claims)).collect::<Result<_, _>>()?;
        if prompt.exceeds(checked.max_prompt.0) {
            return Err(Refusal::prompt(checked.max_prompt));
        }
        let (requested_snapshot, requested_tier) =
            self.memo.of(claims.requested_model, || self.requested(claims.requested_model));
        Ok(Facts {
            endpoint: claims.endpoint,
            tenant,
            plan,
            feature,
            user: claims.user.unwrap_or_default().into(),
            region: claims.region.unwrap_or_default().into(),
            residency,
            requested_model: claims.requested_model.into(),
            requested_snapshot,
            requested_tier,
            max_tokens: claims.max_tokens,
            streaming: claims.streaming,
            tools: claims.tools,
            json_schema: claims.json_schema,
            modality: claims.modality,
            priority,
            attributes,
        })
    }

    fn plan(&self, claims: &Claims<'_>, row: Option<&Tenant>) -> Result<Option<u16>, Refusal> {
        let checked = &*self.checked;
        if checked.plans.is_empty() {
            return Ok(None);
        }
        let claimed = said(claims.plan).map(|name| find_plan(checked, name)).transpose()?;
        let stated = row.and_then(|tenant| tenant.plan);
        match (stated, claimed) {
            (Some(stated), Some(claimed)) if stated != claimed => {
                let name = |at: u16| &*checked.plans[usize::from(at)];
                Err(Refusal::contradiction("plan", row.map_or("", |tenant| &tenant.name), name(stated), name(claimed)))
            }
            (None, None) if self.plan.is_none() && self.tests_plan => {
                Err(Refusal::no_plan(&checked.plans.iter().map(|name| &**name).collect::<Vec<_>>()))
            }
            _ => Ok(stated.or(claimed).or(self.plan)),
        }
    }

    fn residency(&self, claims: &Claims<'_>, row: Option<&Tenant>) -> Result<u16, Refusal> {
        let checked = &*self.checked;
        let claimed = said(claims.residency).map(|name| find_residency(checked, name)).transpose()?;
        let stated = row.and_then(|tenant| tenant.residency);
        match (stated, claimed) {
            (Some(stated), Some(claimed)) if stated != claimed => {
                let name = |at: u16| &*checked.residencies[usize::from(at)].name;
                Err(Refusal::contradiction(
                    "residency",
                    row.map_or("", |tenant| &tenant.name),
                    name(stated),
                    name(claimed),
                ))
            }
            _ => Ok(stated.or(claimed).unwrap_or(self.residency)),
        }
    }

    /// The pinned snapshot behind the model a client names, and its tier (section 5.2, step 2).
    fn requested(&self, model: &str) -> Requested {
        if model.is_empty() {
            return (None, None);
        }
        let checked = &*self.checked;
        let known = match self.catalog.resolve(model) {
            Resolved::Known(entry) => {
                let name = model_of(entry);
                self.snapshots.get(&name).copied().ok_or(Some(name))
            }
            // A policy can pin an id that the catalog has no row for.
            Resolved::Unknown => {
                let written = ModelRef::parse(model).and_then(|name| self.snapshots.get(&name).copied());
                written.or_else(|| self.only_with_id(model)).ok_or(None)
            }
        };
        match known {
            Ok(at) => {
                let snapshot = &checked.snapshots[usize::from(at)];
                (Some(snapshot.model.clone()), snapshot.tier)
            }
            Err(name) => (name, None),
        }
    }

    /// The policy's snapshot with this id, if only one provider has it.
    fn only_with_id(&self, id: &str) -> Option<u16> {
        let mut found = self.checked.snapshots.iter().enumerate().filter(|(_, snapshot)| *snapshot.model.id == *id);
        let (at, _) = found.next()?;
        found.next().is_none().then_some(at as u16)
    }
}

fn model_of(entry: &Entry) -> ModelRef {
    ModelRef::new(&entry.provider, &entry.written_id())
}

/// What was said, where an empty text says nothing.
fn said(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn find_plan(checked: &Checked, name: &str) -> Result<u16, Refusal> {
    let found = checked.plans.iter().position(|one| **one == *name);
    found.map(|at| at as u16).ok_or_else(|| {
        let known: Vec<&str> = checked.plans.iter().map(|one| &**one).collect();
        Refusal::unknown(Reason::UnknownPlan, "plan", name, &known)
    })
}

fn find_residency(checked: &Checked, name: &str) -> Result<u16, Refusal> {
    let found = checked.residencies.iter().position(|one| *one.name == *name);
    found.map(|at| at as u16).ok_or_else(|| {
        let known: Vec<&str> = checked.residencies.iter().map(|one| &*one.name).collect();
        Refusal::unknown(Reason::UnknownResidency, "residency", name, &known)
    })
}

fn find_feature(checked: &Checked, name: &str) -> Result<Option<u16>, Refusal> {
    if name == "none" || checked.features.is_empty() {
        return Ok(None);
    }
    let found = checked.features.iter().position(|one| *one.name == *name);
    found.map(|at| Some(at as u16)).ok_or_else(|| {
        let known: Vec<&str> = checked.features.iter().map(|one| &*one.name).chain(["none"]).collect();
        Refusal::unknown(Reason::UnknownFeature, "feature", name, &known)
    })
}

fn attribute_value(attribute: &Attribute, claims: &Claims<'_>) -> Result<AttributeValue, Refusal> {
    let found = (claims.attributes)(attribute);
    let Some(text) = said(found.as_deref()) else {
        return attribute.default.clone().ok_or_else(|| Refusal::missing(attribute));
    };
    let value = match &attribute.domain {
        AttributeDomain::OneOf(values) => {
            values.iter().position(|one| **one == *text).map(|at| AttributeValue::OneOf(at as u32))
        }
        AttributeDomain::Number { lo, hi } => {
            text.parse().ok().filter(|number| (*lo..*hi).contains(number)).map(AttributeValue::Number)
        }
        AttributeDomain::YesOrNo => match text {
            "yes" | "true" => Some(AttributeValue::YesOrNo(true)),
            "no" | "false" => Some(AttributeValue::YesOrNo(false)),
            _ => None,
        },
        AttributeDomain::Text => Some(AttributeValue::Text(text.into())),
    };
    value.ok_or_else(|| Refusal::attribute(attribute, text))
}
