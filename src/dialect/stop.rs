//! Why reading a request stops, until the body is at hand to say where.
//!
//! In: an error of the reader, or words for the caller. Out: [`Stop`]. Must not know: any provider's fields.

use super::bad_body::BadBody;
use super::json::JsonError;

/// What ends a pass over a body.
pub(in crate::dialect) enum Stop {
    Json(JsonError),
    Bad(BadBody),
}

impl From<JsonError> for Stop {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

impl From<BadBody> for Stop {
    fn from(error: BadBody) -> Self {
        Self::Bad(error)
    }
}

/// One step of a pass.
pub(in crate::dialect) type Step<T = ()> = Result<T, Stop>;
