//! `wayside demo`

use std::process::ExitCode;

use super::screen;

/// Run the proxy with simulated providers and a small policy; needs no keys and no network.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(_args: Args) -> ExitCode {
    screen::broken("`demo` is not part of this build yet")
}
