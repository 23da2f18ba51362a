//! `wayside.yaml` as typed.
//!
//! In: YAML. Out: one field for each key, all optional. Must not know: defaults.

#![cfg_attr(
    not(feature = "serve"),
    allow(dead_code, reason = "the language tools check every key and use one section")
)]

use std::collections::BTreeMap;

use serde::Deserialize;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Raw {
    pub listen: Option<OneOrMany>,
    pub admin: Option<String>,
    pub policy: Option<String>,
    pub catalog: Option<String>,
    pub region: Option<String>,
    pub identity: RawIdentity,
    pub providers: BTreeMap<String, RawProvider>,
    pub limits: RawLimits,
    pub breakers: RawBreakers,
    pub answer_headers: Option<bool>,
    pub translation: Option<String>,
    pub log: RawLog,
    pub queues: BTreeMap<String, RawQueue>,
    pub spool: RawSpool,
    pub cache: RawCache,
    pub check: RawCheck,
}

/// `listen: A` or `listen: [A, B]`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// `identity:`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawIdentity {
    pub tenant_header: Option<String>,
    pub user_header: Option<String>,
    pub plan_header: Option<String>,
    pub residency_header: Option<String>,
    pub feature_header: Option<String>,
    pub priority_header: Option<String>,
    pub default_plan: Option<String>,
    pub default_residency: Option<String>,
    pub default_feature: Option<String>,
}

/// A row of `providers:`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawProvider {
    pub kind: Option<String>,
    pub dialect: Option<String>,
    pub base_url: Option<String>,
    pub api_version: Option<String>,
    pub key: Option<String>,
    pub auth: Option<RawAuth>,
    pub cloud: Option<String>,
    pub headers: BTreeMap<String, String>,
    pub ca_file: Option<String>,
    pub client_cert_file: Option<String>,
    pub client_key_file: Option<String>,
    pub proxy: Option<String>,
    pub connect_timeout: Option<String>,
    pub shares_fate: Option<String>,
    pub output_cap: Option<String>,
}

/// `auth:` in a row of `providers:`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawAuth {
    pub kind: Option<String>,
    pub name: Option<String>,
    pub region: Option<String>,
    pub service: Option<String>,
    pub access_key: Option<String>,
    pub secret_key: Option<String>,
    pub session_token: Option<String>,
    pub file: Option<String>,
    pub project: Option<String>,
    pub location: Option<String>,
    pub scope: Option<String>,
    pub tenant: Option<String>,
    pub client_id: Option<String>,
    pub client_secret: Option<String>,
    pub token_url: Option<String>,
}

/// `limits:`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawLimits {
    pub head: Option<Size>,
    pub body: Option<Size>,
    pub bodies: Option<Size>,
    pub connections: Option<usize>,
    pub concurrent: Option<usize>,
    pub waiting: Option<usize>,
    pub wait_timeout: Option<String>,
    pub read_timeout: Option<String>,
    pub write_timeout: Option<String>,
    pub keepalive: Option<String>,
    pub drain: Option<String>,
    pub pool: Option<usize>,
    pub threads: Option<usize>,
}

/// `breakers:`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawBreakers {
    pub window: Option<String>,
    pub attempts: Option<u32>,
    pub percent: Option<u32>,
    pub pause: Option<String>,
    pub longest_pause: Option<String>,
}

/// `65536` or `64KiB`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Size {
    Bytes(u64),
    Text(String),
}

/// `log:`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawLog {
    pub requests: Option<String>,
    pub level: Option<String>,
}

/// A row of `queues:`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawQueue {
    pub webhook: Option<String>,
    pub headers: BTreeMap<String, String>,
    pub ca_file: Option<String>,
    pub redis: Option<String>,
    pub stream: Option<String>,
    pub entries: Option<u64>,
    pub timeout: Option<String>,
}

/// `spool:`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawSpool {
    pub directory: Option<String>,
    pub tickets: Option<u64>,
    pub bytes: Option<Size>,
    pub age: Option<String>,
}

/// `cache:`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawCache {
    pub bytes: Option<Size>,
    pub entries: Option<u64>,
    pub entry: Option<Size>,
}

/// `check:`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawCheck {
    pub deny_warnings: Option<bool>,
    pub select: Vec<String>,
    pub allow: Vec<String>,
    pub retire_window: Option<String>,
    pub fuel: Option<u64>,
    pub coverage: Option<u8>,
    pub max_findings: Option<usize>,
}
