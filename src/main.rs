//! The one binary. Everything is in the library; this file only says where memory comes from.

use std::process::ExitCode;

/// Chosen by measurement; the README has the numbers.
#[cfg(feature = "serve")]
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    wayside::cli::main()
}
