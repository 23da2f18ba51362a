//! What people and pipes see.
//!
//! In: finished text. Out: bytes on stdout or stderr, with colors only where they are wanted. Must not know: what it says.

use clap::ValueEnum;
use std::io::{self, Write};
use std::process::ExitCode;

use super::BROKEN;

/// How a verb prints that has one document beside what people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a person
    Human,
    /// One document
    Json,
}

/// Prints `text` to stdout and answers `code`. A reader that has gone away (`| head`) is not an error; a full disk is.
pub fn show(text: &str, code: u8) -> ExitCode {
    match write(&mut anstream::stdout().lock(), text) {
        Ok(()) => ExitCode::from(code),
        Err(error) => broken(&format!("cannot write the output: {error}")),
    }
}

/// Prints what `fill` writes while it writes it, and answers the code that `fill` gives.
pub fn stream(fill: impl FnOnce(&mut dyn Write) -> io::Result<u8>) -> ExitCode {
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    match fill(&mut out).and_then(|code| out.flush().map(|()| code)) {
        Ok(code) => ExitCode::from(code),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(super::CLEAN),
        Err(error) => broken(&format!("cannot write the output: {error}")),
    }
}

/// Progress, and what else is not a result, to stderr.
pub fn aside(text: &str) {
    // Nobody is left to tell when stderr fails.
    let _ = write(&mut anstream::stderr().lock(), &format!("{text}\n"));
}

/// Something is wrong with what was given; it is on stderr, because nothing was asked for on stdout.
#[cfg(feature = "serve")]
pub fn findings(text: &str) -> ExitCode {
    aside(text);
    ExitCode::from(super::FINDINGS)
}

/// The job could not be done.
pub fn broken(reason: &str) -> ExitCode {
    aside(&format!("wayside: {reason}"));
    ExitCode::from(BROKEN)
}

/// Whether standard error is a terminal that wants color; `NO_COLOR` is honored.
#[cfg(feature = "serve")]
pub fn stderr_has_color() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

fn write(stream: &mut impl Write, text: &str) -> io::Result<()> {
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Gone(io::ErrorKind);

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_not_an_error_and_a_full_disk_is() {
        assert!(write(&mut Gone(io::ErrorKind::BrokenPipe), "x").is_ok());
        assert!(write(&mut Gone(io::ErrorKind::StorageFull), "x").is_err());
    }
}
