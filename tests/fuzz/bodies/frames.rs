//! What the fuzz target `frames` holds of a body of Amazon's frames; apart, because only the proxy reads them.

use bytes::Bytes;
use wayside::dialect::canonical::Delta;
use wayside::dialect::translate::StreamReader;
use wayside::dialect::{Dialect, sse};

use super::stream::split;
use crate::event_stream::{Broken, Framer};

/// Largest frame in the narrow of two framers.
const NARROW: usize = 64;

type Named = (&'static str, fn(&[u8]));

/// Its name and what it runs on an input.
pub const TARGETS: [Named; 1] = [("frames", frames)];

/// Any bytes as frames, as they are and with lengths and checksums mended, without which no reader looks further: the same events
/// however they are cut, none larger than its bytes.
pub fn frames(bytes: &[u8]) {
    let mended = mended(bytes);
    for body in [bytes, &mended] {
        for limit in [usize::MAX, NARROW] {
            let whole = events(limit, &[body]);
            assert_eq!(events(limit, &split(body, body.len() as u64)), whole, "in pieces");
            assert_eq!(events(limit, &body.chunks(1).collect::<Vec<_>>()), whole, "byte by byte");
            let told: usize = whole.0.iter().map(|(name, data)| name.len() + data.len()).sum();
            assert!(told <= body.len());
        }
    }
}

type Events = Vec<(Vec<u8>, Vec<u8>)>;

/// Name and payload of every event, and what ended the reading. Each is given to whoever follows the stream.
fn events(limit: usize, pieces: &[&[u8]]) -> (Events, Option<Broken>) {
    let mut framer = Framer::with_limit(limit);
    let mut reader = StreamReader::new(Dialect::Converse);
    let mut found = Vec::new();
    for piece in pieces {
        framer.push(Bytes::copy_from_slice(piece));
        loop {
            match framer.next_event() {
                Ok(Some(event)) => {
                    let (name, data) = (event.name().unwrap_or_default().to_vec(), event.data().to_vec());
                    let same = sse::Event::of(&name, &data);
                    let _ = reader.event(same.name(), same.data().unwrap_or_default(), &mut |_: Delta<'_>| {});
                    found.push((name, data));
                }
                Ok(None) => break,
                Err(broken) => return (found, Some(broken)),
            }
        }
        assert!(framer.pending() <= limit);
    }
    let cut = framer.finish().err();
    (found, cut)
}

/// Frames out of what stands between bytes: the first says how much of the frame's body follows, the second how much of that are
/// headers.
fn mended(bytes: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), bytes);
    while let [size, headers, after @ ..] = rest {
        let (body, after) = after.split_at(usize::from(*size).min(after.len()));
        let start = out.len();
        out.extend((body.len() as u32 + 16).to_be_bytes());
        out.extend(u32::from(*headers).min(body.len() as u32 + 1).to_be_bytes());
        out.extend(crc32(&out[start..]));
        out.extend(body);
        out.extend(crc32(&out[start..]));
        rest = after;
    }
    out
}

fn crc32(bytes: &[u8]) -> [u8; 4] {
    let bit = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    let crc = bytes.iter().fold(!0, |crc: u32, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc)));
    (!crc).to_be_bytes()
}
