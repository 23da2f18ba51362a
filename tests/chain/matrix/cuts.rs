//! A healthy stream that breaks behind each of its bytes.

use wayside::dialect::Dialect;

use super::read::{Heard, hear};
use super::wire::{Provider, providers};

const NAMES: [&str; 4] = ["role", "word*2", "stop", "done"];

/// What only a whole stream may end with; the first of them ends all that are whole.
const fn end_marks(caller: Dialect) -> &'static [&'static str] {
    match caller {
        Dialect::Messages => &["message_stop", "end_turn"],
        Dialect::Responses => &["response.completed"],
        Dialect::Gemini => &["STOP"],
        Dialect::Chat | Dialect::Converse | Dialect::Embeddings => &["[DONE]", "\"stop\""],
    }
}

/// Where the piece of this name ends.
fn end_of(provider: &Provider, name: &str) -> usize {
    let names: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    let at = names.iter().position(|known| known == name).unwrap();
    provider.pieces(&names[..=at]).concat().len()
}

/// After this many bytes and a clean end, the answer should be whole.
fn whole_when_clean(provider: &Provider, bytes: usize, all: usize) -> bool {
    let from = end_of(provider, &provider.file.whole_from);
    match provider.dialect {
        // A frame that is not whole is damage, wherever it stands.
        Dialect::Converse => bytes == from || bytes == all,
        // A blank line that is missing at the end is no loss.
        _ => bytes >= from - 2,
    }
}

fn over(heard: &Heard) -> bool {
    heard.told.last().is_some_and(|told| told.ended) && heard.complete
}

#[test]
fn an_answer_is_whole_from_one_byte_on_and_not_a_byte_earlier() {
    for provider in providers() {
        let stream = provider.pieces(&NAMES.map(str::to_owned)).concat();
        let last = provider.file.last.as_deref().map(|last| end_of(&provider, last));
        let callers = [Dialect::Chat, Dialect::Messages, provider.dialect];
        for caller in callers.into_iter().filter(|caller| *caller != Dialect::Converse) {
            // Callers who need a translation are looked at behind every seventh byte, and behind each of the last.
            let looked =
                |bytes: &usize| caller == provider.dialect || bytes.is_multiple_of(7) || bytes + 40 > stream.len();
            for bytes in (0..=stream.len()).filter(looked) {
                let place = format!("{} for {caller:?}, {bytes} of {} bytes", provider.title, stream.len());
                let part = || [(0, &stream[..bytes])];
                let reset = hear((provider.dialect, caller), part(), false);
                assert_eq!(over(&reset), last.is_some_and(|last| bytes >= last), "{place}, reset");
                let clean = hear((provider.dialect, caller), part(), true);
                assert_eq!(clean.complete, whole_when_clean(&provider, bytes, stream.len()), "{place}, clean");
                for mark in end_marks(caller) {
                    let sent = String::from_utf8_lossy(&clean.sent);
                    assert!(!sent.contains(mark), "{place}: {mark} comes too early: {sent}");
                }
                if clean.complete {
                    let closing = String::from_utf8_lossy(&clean.closing);
                    assert!(closing.contains(end_marks(caller)[0]), "{place}: {closing}");
                }
            }
        }
    }
}
