//! Wayside is a sidecar proxy that makes every LLM call a policy decision.
//!
//! It stands beside an application, takes ordinary OpenAI, Anthropic or Google client traffic on loopback, and decides for each
//! request, from reviewed `.route` files compiled to a decision tree, which provider, tier and pinned snapshot answers, and what
//! happens when that fails. The same front end, tree and planner run in CI, so what `wayside check` accepts is what runs.
//!
//! ```text
//!             policy text                                        request bytes
//!                 │                                                    │
//!    ┌────────────▼─────────────┐                        ┌─────────────▼──────────────┐
//!    │ policy   (no files, no   │        Tree            │ serve   (sockets, with     │
//!    │ clock, no async)         ├───────────────────────►│ upstream all of pingora)   │
//!    │ parse→check→prove→compile│                        │ facts→decide→chain→reply   │
//!    └────────────┬─────────────┘                        └─────────────┬──────────────┘
//!                 │ diagnostics, explanations                          │ records
//!             authors and CI                                       telemetry
//! ```
//!
//! The cargo feature `serve` (on by default) brings in everything that listens and calls providers. Without it the same binary is
//! the language tools alone, of which only `check --live` opens a socket. The feature adds verbs; it never changes what a verb
//! does.
//!
//! # Rooms, in the order data flows
//!
//! | room | comes in → goes out |
//! |---|---|
//! | [`names`], [`units`], [`failure`], [`usage`] | words and numbers → types that mean one thing |
//! | [`json`] | JSON in one pass and without a tree: bytes → values that know where they stand; names and values → bytes |
//! | [`catalog`] | the table compiled in, and an overlay → facts about `(provider, id)`; pin or alias |
//! | [`policy`] | `.route` text → a tree and diagnostics; facts → decision → plan |
//! | [`files`] | paths, or paths of a git revision → texts of a workspace, and nothing outside it; whole files replaced |
//! | [`config`] | `wayside.yaml` as typed → as meant |
//! | [`spool`] | a request that no model answered → a ticket on disk, and back to whoever works it |
//! | [`workspace`] | a policy's path → its settings, its catalog, its files, checked |
//! | [`lsp`] | an editor's messages ↔ what the policy tools know |
//! | `dialect` | bytes of a provider's API ↔ what they mean, and through one canonical conversation the bytes of another's: requests, answers, stream events, errors |
//! | `facts` | request head and body → the raw facts the policy asks for; `prompt_tokens`, as lazily as they allow |
//! | `cache` | complete answers → the same again, while they are young enough |
//! | `chain` | a plan, what happened and when → what to do next. A state machine without I/O |
//! | [`rehearse`] | tests and a tree → results, coverage, mutants, on a virtual clock |
//! | `upstream` | one attempt → bytes on a pooled connection and back |
//! | `telemetry` | finished requests → Prometheus, one log line each |
//! | `serve` | sockets ↔ exchanges: listeners, intake, relay, reload, drain, the admin listener |
//! | `simulate` | local providers with faults on demand; does not know the proxy |
//! | `demo` | both together, shown |
//! | `cli` | one file for each verb; the only place that prints or exits |
//!
//! A room names only rooms above it; `tests/tidy.rs` holds the table. Start reading a request at `serve/exchange.rs`, which names
//! every step in order; start reading a policy at `policy/check/mod.rs`.
//!
//! # Invariants
//!
//! - Policy code reads no file, clock or socket. Time, readings and file contents are arguments.
//! - `serve`, `explain`, `test`, `diff` and `check` run the same [`policy`] functions: one admission, one walker, one planner.
//! - Only the relay writes to the caller, so an attempt that fails before release leaves no trace there.
//! - A cut stream never ends cleanly.
//! - Each hop is made from the caller's own bytes: the same dialect passes untouched but for model and cap, another is translated;
//!   what it cannot carry is named, never lost in silence.
//! - Whatever a caller or a provider controls has a named limit.
//! - A provider key is a [`config`] secret, which has no `Display`, and is exposed where its header is built.
//!
//! # Words
//!
//! *Tier*: a class of work, and the snapshots trusted with it. *Snapshot*: one fixed model version. *Alias*: a name that
//! moves. *Chain*: what a rule tries, in order; *hop*: one entry of it; *attempt*: one try of a hop. *Upstream*: whom we call;
//! *client*, *caller*: who called us. *Held*, *released*: before and after the first byte of an answer goes to the caller.
//! *Degrade*: what the caller gets when no hop delivered. *Drift*: an answer that names another model than the pin.

#[cfg(feature = "serve")]
pub mod cache;
pub mod catalog;
pub mod chain;
pub mod cli;
pub mod config;
#[cfg(feature = "serve")]
pub mod demo;
pub mod dialect;
#[cfg(feature = "serve")]
pub mod facts;
pub mod failure;
pub mod files;
pub mod json;
pub mod lsp;
pub mod names;
pub mod policy;
pub mod rehearse;
#[cfg(feature = "serve")]
pub mod serve;
#[cfg(feature = "serve")]
pub mod simulate;
pub mod spool;
#[cfg(feature = "serve")]
pub mod telemetry;
pub mod units;
#[cfg(feature = "serve")]
pub mod upstream;
pub mod usage;
pub mod workspace;
