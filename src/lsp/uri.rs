//! `file:` URIs and paths.
//!
//! In: a URI as an editor spells it. Out: the path, and back. Must not know: documents. Editors spell the same file in several
//! ways (`%20`, `%3A`, `localhost`), so a document is known by its path.

use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stays as it is in the path of a URI (RFC 3986, unreserved characters and the slash).
const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path of a `file:` URI of this machine; `None` for anything else.
pub fn to_path(uri: &str) -> Option<PathBuf> {
    let (scheme, rest) = uri.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("file") {
        return None;
    }
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(behind) => {
            let start = behind.find('/')?;
            let host = &behind[..start];
            if !host.is_empty() && !host.eq_ignore_ascii_case("localhost") {
                return None;
            }
            &behind[start..]
        }
    };
    let path = percent_decode_str(path).decode_utf8().ok()?;
    (path.starts_with('/') && !path.contains('\0')).then(|| PathBuf::from(path.as_ref()))
}

/// The URI of a path.
pub fn from_path(path: &Path) -> String {
    format!("file://{}", utf8_percent_encode(&path.to_string_lossy(), &KEPT))
}

/// What a document is known by: the path without links and detours, also when the file is not there yet. What is no file keeps
/// its URI, which is never an absolute path.
pub fn key(uri: &str) -> PathBuf {
    to_path(uri).map_or_else(|| PathBuf::from(uri), |path| canonical(&path))
}

/// The path without links and detours, as far as it exists.
pub fn canonical(path: &Path) -> PathBuf {
    if let Ok(found) = path.canonicalize() {
        return found;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => parent.canonicalize().unwrap_or_else(|_| parent.to_owned()).join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_survives_its_uri() {
        for path in ["/a/b.route", "/with space/ü.route", "/a%20b/c#d?.route"] {
            assert_eq!(to_path(&from_path(Path::new(path))), Some(PathBuf::from(path)), "{path}");
        }
    }

    #[test]
    fn editors_spell_the_same_file_in_several_ways() {
        for uri in ["file:///a/b%2Eroute", "FILE:///a/b.route", "file://localhost/a/b.route", "file:/a/b.route"] {
            assert_eq!(to_path(uri), Some(PathBuf::from("/a/b.route")), "{uri}");
        }
        for uri in [
            "untitled:Untitled-1",
            "https://a/b.route",
            "file://elsewhere/b.route",
            "file://",
            "b.route",
            "file:///%ff",
        ] {
            assert_eq!(to_path(uri), None, "{uri}");
        }
    }
}
