//! `wayside completions SHELL`

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{CLEAN, Cli, screen};

/// Print a completion script for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wayside completions bash > ~/.local/share/bash-completion/completions/wayside")]
pub struct Args {
    /// Which shell
    shell: Shell,
}

/// Prints the script.
pub fn run(args: &Args) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "wayside", &mut script);
    screen::show(&String::from_utf8_lossy(&script), CLEAN)
}
