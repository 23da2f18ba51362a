//! Flags that every verb which reads a policy has, and the clock.
//!
//! In: arguments. Out: the day, and how a workspace is read. Must not know: policies.

use std::path::PathBuf;

use jiff::civil::Date;

use crate::workspace::How;

/// Flags that every verb which reads a policy has.
#[derive(Clone, Debug, clap::Args)]
pub struct Reading {
    /// Judge dates as if it were this day (YYYY-MM-DD)
    #[arg(long, value_name = "DATE")]
    pub today: Option<Date>,

    /// Facts to lay over the built-in catalog; otherwise the `catalog.yaml` beside the policy, if there is one
    #[arg(long, value_name = "FILE")]
    pub catalog: Option<PathBuf>,

    /// Steps of the exact analysis before it gives up with R410
    #[arg(long, value_name = "N")]
    pub fuel: Option<u64>,
}

impl Reading {
    /// As given, else the current day in UTC. The only place of the language half that reads a clock.
    pub fn today(&self) -> Date {
        self.today.unwrap_or_else(|| jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date())
    }

    /// What a workspace is told.
    pub fn how(&self) -> How {
        How { today: self.today(), catalog: self.catalog.clone(), fuel: self.fuel }
    }
}
