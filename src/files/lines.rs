//! One line after the other of a log, which may be larger than memory.
//!
//! In: a path, `-` for standard input. Out: numbered lines, or why one cannot be had. Must not know: what a line says.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Bytes of a log that one run reads: about a million requests.
pub const MAX_LOG_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// Lines that are not blank, with their numbers from 1.
pub struct Lines {
    input: Box<dyn BufRead>,
    longest: usize,
    left: u64,
    number: u64,
    over: bool,
}

impl Lines {
    /// Opens a file, a pipe, or standard input for `-`. A line of more than `longest` bytes is not kept in memory.
    ///
    /// # Errors
    /// Why not, as the end of a sentence: `no such file`.
    pub fn open(path: &Path, longest: usize) -> Result<Self, String> {
        if path == Path::new("-") {
            return Ok(Self::of(io::stdin(), longest));
        }
        let file = File::open(path).map_err(|error| super::reason(&error))?;
        if file.metadata().is_ok_and(|meta| meta.is_dir()) {
            return Err("it is a directory".to_owned());
        }
        Ok(Self::of(file, longest))
    }

    /// Lines of anything that can be read.
    pub fn of(input: impl Read + 'static, longest: usize) -> Self {
        Self::limited(input, longest, MAX_LOG_BYTES)
    }

    fn limited(input: impl Read + 'static, longest: usize, most: u64) -> Self {
        Self { input: Box::new(BufReader::new(input)), longest, left: most, number: 0, over: false }
    }

    /// The next line, without its end.
    fn line(&mut self) -> io::Result<Option<Result<String, String>>> {
        let mut bytes = Vec::new();
        // One more byte tells a line at the limit from a longer one; another holds the line's end.
        let most = (self.longest as u64 + 2).min(self.left.saturating_add(1));
        let read = self.input.by_ref().take(most).read_until(b'\n', &mut bytes)? as u64;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if read > self.left {
            self.over = true;
            return Ok(Some(Err(format!(
                "the log is longer than {MAX_LOG_BYTES} bytes; ask about a part of it: `tail -n 1000000`"
            ))));
        }
        self.left -= read;
        let ended = bytes.pop_if(|last| *last == b'\n').is_some();
        if bytes.len() > self.longest {
            if !ended {
                let mut rest = self.input.by_ref().take(self.left);
                self.left -= rest.skip_until(b'\n')? as u64;
            }
            return Ok(Some(Err(format!("it has more than {} bytes", self.longest))));
        }
        Ok(Some(String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())))
    }
}

impl Iterator for Lines {
    type Item = (u64, Result<String, String>);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.over {
            match self.line() {
                Ok(None) => return None,
                Ok(Some(Ok(line))) if line.trim().is_empty() => {}
                Ok(Some(line)) => return Some((self.number, line)),
                Err(error) => {
                    self.over = true;
                    return Some((self.number + 1, Err(super::reason(&error))));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, longest: usize, most: u64) -> Vec<(u64, Result<String, String>)> {
        Lines::limited(io::Cursor::new(text.to_owned()), longest, most).collect()
    }

    #[test]
    fn blank_lines_count_and_are_skipped_and_a_last_line_needs_no_end() {
        let lines = all("a\n\n  \nb\r\nc", 9, 99);
        let texts: Vec<(u64, &str)> = lines.iter().map(|(at, line)| (*at, line.as_deref().unwrap())).collect();
        assert_eq!(texts, [(1, "a"), (4, "b\r"), (5, "c")]);
    }

    #[test]
    fn a_line_is_read_up_to_the_limit_and_the_next_one_is_not_lost() {
        for end in ["\n", ""] {
            assert_eq!(all(&format!("12345{end}"), 5, 99)[0].1.as_deref(), Ok("12345"));
            assert_eq!(all(&format!("123456{end}"), 5, 99)[0].1, Err("it has more than 5 bytes".to_owned()));
        }
        let lines = all("12345678901234567890\nnext\n", 5, 99);
        assert_eq!(lines[1], (2, Ok("next".to_owned())));
    }

    #[test]
    fn a_log_is_read_up_to_the_limit() {
        assert_eq!(all("ab\ncd\n", 9, 6).len(), 2);
        let lines = all("ab\ncd\ne", 9, 6);
        assert!(lines[2].1.as_ref().unwrap_err().contains("longer than"));
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn a_line_that_is_no_text_is_named_and_does_not_end_the_log() {
        let lines: Vec<_> = Lines::limited(io::Cursor::new(b"\xff\xfe\nb\n"), 9, 99).collect();
        assert!(lines[0].1.is_err() && lines[1].1.is_ok());
    }
}
