//! The one binary. Everything is in the library; this file only says where memory comes from.

use std::process::ExitCode;

fn main() -> ExitCode {
    wayside::cli::main()
}
