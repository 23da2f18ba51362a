//! Images, sound, video and documents as Converse takes them.
//!
//! In: [`Media`]. Out: one member of a content block, or why there is none. Must not know: whose message it stands in.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::dialect::canonical::{Media, MediaKind, Source, Target};
use crate::json::write::Object;

/// Longest name of a document, in bytes: the provider's 200, less what tells two of the same name apart.
const MAX_NAME: usize = 190;

/// Formats by what follows the `/` of their MIME type.
const IMAGES: [(&str, &str); 5] = [("png", "png"), ("jpeg", "jpeg"), ("jpg", "jpeg"), ("gif", "gif"), ("webp", "webp")];
const SOUNDS: [(&str, &str); 12] = [
    ("mpeg", "mp3"),
    ("mp3", "mp3"),
    ("wav", "wav"),
    ("x-wav", "wav"),
    ("wave", "wav"),
    ("flac", "flac"),
    ("ogg", "ogg"),
    ("opus", "opus"),
    ("aac", "aac"),
    ("mp4", "mp4"),
    ("m4a", "m4a"),
    ("webm", "webm"),
];
const VIDEOS: [(&str, &str); 9] = [
    ("mp4", "mp4"),
    ("quicktime", "mov"),
    ("mov", "mov"),
    ("webm", "webm"),
    ("x-matroska", "mkv"),
    ("x-flv", "flv"),
    ("mpeg", "mpeg"),
    ("x-ms-wmv", "wmv"),
    ("3gpp", "three_gp"),
];
const DOCUMENTS: [(&str, &str); 9] = [
    ("pdf", "pdf"),
    ("csv", "csv"),
    ("html", "html"),
    ("plain", "txt"),
    ("markdown", "md"),
    ("msword", "doc"),
    ("vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("vnd.ms-excel", "xls"),
    ("vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
];

/// What a member is called, what may stand in it, and what is said where it cannot.
struct Shape {
    member: &'static str,
    formats: &'static [(&'static str, &'static str)],
    unable: &'static str,
    other_format: &'static str,
}

const fn shape(kind: MediaKind) -> Shape {
    match kind {
        MediaKind::Image => Shape {
            member: "image",
            formats: &IMAGES,
            unable: "takes no images",
            other_format: "takes images as PNG, JPEG, GIF or WebP",
        },
        MediaKind::Audio => Shape {
            member: "audio",
            formats: &SOUNDS,
            unable: "takes no audio",
            other_format: "takes audio as MP3, WAV, FLAC, Ogg, Opus, AAC, MP4 or WebM",
        },
        MediaKind::Video => Shape {
            member: "video",
            formats: &VIDEOS,
            unable: "takes no video",
            other_format: "takes video as MP4, MOV, WebM, MKV, FLV, MPEG, WMV or 3GP",
        },
        MediaKind::Document => Shape {
            member: "document",
            formats: &DOCUMENTS,
            unable: "takes no documents",
            other_format: "takes documents as PDF, CSV, DOC, DOCX, XLS, XLSX, HTML, TXT or Markdown",
        },
    }
}

/// The names of the documents of one request.
#[derive(Default)]
pub(super) struct Names {
    given: HashSet<String>,
    /// What tells the next one apart from one of the same name; never tried again.
    number: usize,
}

impl Names {
    /// A name that the provider takes and no other document has; `true` when it is not the caller's own.
    fn of(&mut self, written: Option<Cow<'_, str>>) -> (String, bool) {
        let asked = written.unwrap_or_default();
        let neutral = neutral(&asked);
        let mut name = if neutral.is_empty() { "document".to_owned() } else { neutral };
        if self.given.contains(&name) {
            let numbered = |number: usize| format!("{name} {number}");
            self.number = self.number.max(self.given.len()) + 1;
            while self.given.contains(&numbered(self.number)) {
                self.number += 1;
            }
            name = numbered(self.number);
        }
        self.given.insert(name.clone());
        let changed = !asked.is_empty() && *asked != name;
        (name, changed)
    }
}

/// Letters, digits, hyphens, brackets and single spaces; everything else is a space.
fn neutral(name: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '(' | ')' | '[' | ']') { c } else { ' ' };
    let kept: String = name.chars().take(MAX_NAME).map(keep).collect();
    kept.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// Writes the member; `Ok(true)` says that a document's name had to be changed.
///
/// # Errors
/// What completes "the model …".
pub(super) fn write(
    o: &mut Object<'_>,
    media: &Media<'_>,
    target: &Target<'_>,
    names: &mut Names,
) -> Result<bool, &'static str> {
    let shape = shape(media.kind);
    let able = &target.able;
    let able = match media.kind {
        MediaKind::Image => able.vision,
        MediaKind::Audio => able.audio_input,
        MediaKind::Video => able.video_input,
        MediaKind::Document => {
            able.pdf.filter(|_| matches!(&media.source, Source::Inline { mime, .. } if mime.ends_with("/pdf")))
        }
    };
    if able == Some(false) {
        return Err(shape.unable);
    }
    let format = match &media.source {
        Source::Inline { mime, .. } => Some(format(&shape, mime).ok_or(shape.other_format)?),
        Source::Url(url) if url.written().starts_with("s3://") => {
            Some(by_ending(&shape, url.written()).ok_or(shape.other_format)?)
        }
        Source::Url(_) => return Err("reads nothing from the web"),
        Source::File(_) => {
            return Err("cannot read files that were uploaded elsewhere");
        }
        Source::Text(_) if media.kind == MediaKind::Document => Some("txt"),
        Source::Text(_) => return Err(shape.other_format),
    };
    let mut changed = false;
    o.object(shape.member, |o| {
        if let Some(format) = format {
            o.text("format", format);
        }
        if media.kind == MediaKind::Document {
            let (name, other) = names.of(media.name.as_ref().map(|name| name.decode()));
            changed = other;
            o.text("name", &name);
        }
        o.object("source", |o| match &media.source {
            Source::Inline { data, .. } => o.quoted("bytes", data),
            Source::Url(url) => o.object("s3Location", |o| o.quoted("uri", url)),
            Source::Text(text) => o.quoted("text", text),
            Source::File(_) => {}
        });
    });
    Ok(changed)
}

fn format(shape: &Shape, mime: &str) -> Option<&'static str> {
    let subtype = mime.split_once('/')?.1;
    shape.formats.iter().find(|(known, _)| *known == subtype).map(|(_, format)| *format)
}

fn by_ending(shape: &Shape, url: &str) -> Option<&'static str> {
    let ending = url.rsplit_once('.')?.1;
    shape.formats.iter().find(|(known, format)| *known == ending || *format == ending).map(|(_, format)| *format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn document_names_are_neutral_and_different() {
        let mut names = Names::default();
        let mut name = |written: &'static str| names.of(Some(Cow::Borrowed(written)));
        assert_eq!(name("Report (final)"), ("Report (final)".to_owned(), false));
        assert_eq!(name("a/b  c.pdf"), ("a b c pdf".to_owned(), true));
        assert_eq!(name("Report (final)"), ("Report (final) 3".to_owned(), true));
        assert_eq!(name(""), ("document".to_owned(), false));
        assert_eq!(name("ü"), ("document 5".to_owned(), true));
        assert_eq!(neutral(&"a".repeat(MAX_NAME + 1)).len(), MAX_NAME);
        let mut names = Names::default();
        let given = ["a", "a 3", "a", "a"].map(|name| names.of(Some(Cow::Borrowed(name))).0);
        assert_eq!(given, ["a", "a 3", "a 4", "a 5"], "a name that another document has already is not made up");
    }
}
