//! Checks of a resolved policy that need no proof over requests.
//!
//! In: a [`super::checked::Checked`], the catalog, a day. Out: findings. Must not know: files, requests.

pub mod models;
mod pinning;
