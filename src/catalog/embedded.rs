//! The catalog inside the binary: statics that the build script writes, sorted by `(provider, id)`.
//!
//! In: `models.yaml`, at build time. Out: rows and an index by id. Must not know: anything else.

use std::borrow::Cow;

use jiff::civil::Date;

use super::entry::{Capabilities, Efforts, Entry, Kind, Pin, Price, PriceBand, PriceChange, PricePeak, Status};

include!(concat!(env!("OUT_DIR"), "/models.rs"));
