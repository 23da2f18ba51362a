//! `wayside demo`

use std::process::ExitCode;

use super::{CLEAN, FINDINGS, screen};
use crate::demo::{self, Played, SCENES, Stage};

/// Run the proxy with simulated providers and a small policy; needs no keys and no network.
///
/// Sends a handful of requests through it and shows for each which rule decided and why, who answered, how long it took and
/// what it cost. Then it stays up for your own requests.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// End after the requests instead of staying up
    #[arg(long)]
    once: bool,
    /// Let a provider answer 503 throughout: anthropic, openai or mistral. May be repeated
    #[arg(long, value_name = "PROVIDER")]
    fail: Vec<String>,
}

const AFTER_HELP: &str = "\
Exit codes: 0 every request went as the policy says, 1 one did not, 2 the demo could not run.";

/// Runs it.
pub fn run(args: Args) -> ExitCode {
    let stage = match Stage::start(args.fail, !args.once) {
        Ok(stage) => stage,
        Err(error) => return screen::broken(&error),
    };
    screen::show(&demo::opening(&stage), CLEAN);
    let mut played: Vec<Played> = Vec::new();
    for (at, scene) in SCENES.iter().enumerate() {
        match stage.play(scene) {
            Ok(one) => {
                screen::show(&demo::scene(at + 1, &one), CLEAN);
                played.push(one);
            }
            Err(error) => return screen::broken(&error),
        }
    }
    let code = if played.iter().all(|one| one.differences.is_empty()) { CLEAN } else { FINDINGS };
    let told = screen::show(&demo::verdict(&played), code);
    if args.once {
        return told;
    }
    if let Err(error) = stage.mend() {
        return screen::broken(&error);
    }
    screen::show(&demo::farewell(&stage), CLEAN);
    match stage.until_told() {
        Ok(()) => told,
        Err(error) => screen::broken(&error),
    }
}
