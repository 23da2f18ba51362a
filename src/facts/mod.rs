//! What a request says about itself, gathered for admission: nothing more than the policy asks for.
//!
//! In: headers, a scanned body, the configured header names. Out: the claims that [`crate::policy::admit`] judges, and the size
//! of the prompt as lazily as it is asked. Must not know: rules, upstreams.

pub mod head;
pub mod tokens;
