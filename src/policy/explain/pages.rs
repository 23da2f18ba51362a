//! A page for each code that people meet most: what, why, wrong, right, how to allow.
//!
//! In: a code. Out: a page in Markdown. Must not know: terminals. Examples are whole policies: the blocks after "wrong" must give
//! the finding, those after "right" must not, and a test holds both.

/// Code and page, by code.
const PAGES: [(&str, &str); 8] = [
    ("R201", include_str!("pages/R201.md")),
    ("R203", include_str!("pages/R203.md")),
    ("R303", include_str!("pages/R303.md")),
    ("R304", include_str!("pages/R304.md")),
    ("R319", include_str!("pages/R319.md")),
    ("R401", include_str!("pages/R401.md")),
    ("R404", include_str!("pages/R404.md")),
    ("R409", include_str!("pages/R409.md")),
];

/// The page of a code.
pub fn page(code: &str) -> Option<&'static str> {
    PAGES.iter().find(|(known, _)| *known == code).map(|(_, text)| *text)
}

/// Codes that have a page, in order.
pub fn codes() -> impl Iterator<Item = &'static str> {
    PAGES.iter().map(|(code, _)| *code)
}

/// An example of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Example {
    /// Must give the finding.
    pub wrong: bool,
    /// A whole policy.
    pub text: &'static str,
}

/// The examples of a page: fenced blocks marked `route`, wrong until the heading "right".
pub fn examples(page: &'static str) -> Vec<Example> {
    let right = page.find("\n## Right").unwrap_or(page.len());
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = page[from..].find("```route\n").map(|at| from + at + "```route\n".len()) {
        let Some(end) = page[start..].find("```").map(|at| start + at) else { break };
        found.push(Example { wrong: start < right, text: &page[start..end] });
        from = end + 3;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_says_what_why_wrong_right_and_how_to_allow() {
        for (code, text) in PAGES {
            assert!(text.starts_with(&format!("# {code} ")), "{code}");
            for heading in ["\n## Why\n", "\n## Wrong\n", "\n## Right\n", "\n## Allow\n"] {
                assert!(text.contains(heading), "{code} lacks {heading:?}");
            }
            let examples = examples(text);
            assert!(examples.iter().any(|one| one.wrong) && examples.iter().any(|one| !one.wrong), "{code}");
        }
    }
}
