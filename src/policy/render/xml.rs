//! XML that every reader takes.
//!
//! In: names, attributes, text. Out: a document. Must not know: reports. quick-xml escapes; what it leaves is what XML 1.0 cannot
//! carry at all, and line breaks in attributes, which readers turn into blanks.

use std::fmt;
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

/// A document being written.
pub struct Document {
    writer: Writer<Vec<u8>>,
}

impl Document {
    /// With its declaration.
    pub fn new() -> io::Result<Self> {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        Ok(Self { writer })
    }

    /// An element with what `inside` writes.
    pub fn element(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        inside: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        self.writer.write_event(Event::Start(start(name, attributes)))?;
        inside(self)?;
        self.writer.write_event(Event::End(BytesEnd::new(name)))
    }

    /// An element without content.
    pub fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
        self.writer.write_event(Event::Empty(start(name, attributes)))
    }

    /// An element with text alone.
    pub fn text(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) -> io::Result<()> {
        self.element(name, attributes, |inner| inner.writer.write_event(Event::Text(BytesText::new(&carried(text)))))
    }

    /// Puts the document out.
    pub fn finish(self, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(&String::from_utf8_lossy(&self.writer.into_inner()))?;
        out.write_char('\n')
    }
}

fn start<'n>(name: &'n str, attributes: &[(&str, &str)]) -> BytesStart<'n> {
    let mut start = BytesStart::new(name);
    for (key, value) in attributes {
        let value = carried(value).replace(['\n', '\r', '\t'], " ");
        start.push_attribute((*key, value.as_str()));
    }
    start
}

/// XML 1.0 has no control characters, however they are escaped (section 2.2 of the recommendation).
fn carried(text: &str) -> String {
    let fine = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if fine(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}
