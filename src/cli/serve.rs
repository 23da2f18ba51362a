//! `wayside serve`

use std::process::ExitCode;

use super::screen;

/// Run the proxy.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(_args: Args) -> ExitCode {
    screen::broken("`serve` is not part of this build yet")
}
