//! `wayside simulate`

use std::process::ExitCode;

use super::screen;

/// Run local providers with faults on demand.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(_args: Args) -> ExitCode {
    screen::broken("`simulate` is not part of this build yet")
}
