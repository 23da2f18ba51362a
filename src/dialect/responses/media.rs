//! Where a picture, a sound or a file is.
//!
//! In: what stands in `image_url`, `file_data` and the like. Out: [`Source`], and back. Must not know: parts.

use std::borrow::Cow;

use crate::dialect::canonical::Source;
use crate::json::{Quoted, Text};

/// Names of files whose caller gave none: the API demands one with every inline file.
pub(super) const FILE_NAME: &str = "document";

/// A `data:` URL is the thing itself, every other one a place.
pub(super) fn of_url(text: Text<'_>) -> Source<'_> {
    match text.decode() {
        Cow::Borrowed(url) => match inline(url) {
            Some((mime, data)) => Source::Inline { mime: lower(mime), data: Quoted::of(data) },
            None => Source::Url(text.into()),
        },
        Cow::Owned(url) => match inline(&url) {
            Some((mime, data)) => {
                Source::Inline { mime: lower(mime).into_owned().into(), data: Quoted::of(data).into_owned() }
            }
            None => Source::Url(text.into()),
        },
    }
}

/// The same of a file, which may come without the `data:` in front: PDF, then.
pub(super) fn of_file(text: Text<'_>) -> Source<'_> {
    match of_url(text) {
        Source::Url(data) => Source::Inline { mime: "application/pdf".into(), data },
        source => source,
    }
}

/// Sound by the name of its format.
pub(super) fn of_audio<'a>(data: Text<'a>, format: &str) -> Source<'a> {
    let mime = match format {
        "mp3" => "audio/mpeg".into(),
        "wav" => "audio/wav".into(),
        other => format!("audio/{}", other.to_ascii_lowercase()).into(),
    };
    Source::Inline { mime, data: data.into() }
}

fn lower(mime: &str) -> Cow<'_, str> {
    if mime.bytes().any(|byte| byte.is_ascii_uppercase()) { mime.to_ascii_lowercase().into() } else { mime.into() }
}

/// Type and Base64 of a `data:` URL.
fn inline(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let head = head.strip_suffix(";base64")?;
    let mime = head.split_once(';').map_or(head, |(mime, _)| mime);
    (!mime.is_empty()).then_some((mime, data))
}

/// A `data:` URL as a JSON string.
pub(super) fn write_data_url(out: &mut Vec<u8>, mime: &str, data: &Quoted<'_>) {
    out.extend_from_slice(b"\"data:");
    crate::json::write::escape(out, mime);
    out.extend_from_slice(b";base64,");
    out.extend_from_slice(data.written().as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Cursor;

    fn of(json: &str) -> Source<'_> {
        of_url(Cursor::new(json.as_bytes()).unwrap().string().unwrap())
    }

    #[test]
    fn data_urls_are_taken_apart_however_they_are_escaped() {
        let png = Source::Inline { mime: "image/png".into(), data: Quoted::of("iVBO/w==") };
        for json in [
            r#""data:image/png;base64,iVBO/w==""#,
            r#""data:image\/png;base64,iVBO\/w==""#,
            r#""data:IMAGE/PNG;base64,iVBO/w==""#,
            r#""data:image/png;name=x.png;base64,iVBO/w==""#,
        ] {
            assert_eq!(of(json), png, "{json}");
        }
        for json in [r#""https://x/y.png""#, r#""data:image/png,raw""#, r#""data:;base64,AA""#, r#""data:""#] {
            assert!(matches!(of(json), Source::Url(_)), "{json}");
        }
    }
}
