//! A page for each code: what, why, wrong, right, how to allow.
//!
//! In: a code. Out: a page in Markdown. Must not know: terminals. Examples are whole policies: the blocks after "wrong" must give
//! the finding, those after "right" must not, and a test holds both.

macro_rules! pages {
    ($($code:ident)*) => {
        /// Code and page, by code.
        const PAGES: &[(&str, &str)] =
            &[$((stringify!($code), include_str!(concat!("pages/", stringify!($code), ".md")))),*];
    };
}

pages! {
    R120 R201 R203 R212 R221 R223 R303 R304 R319 R324 R325 R326 R327 R328 R329 R330
    R331 R332 R401 R404 R409 R505 R506 R508 R509 R601 R602 R603 R604 R605 R606 R607 R608
    R609 R701 R702 R703 R704 R705 R706 R707 R708 R709 R710 R711 R712 R713 R714 R715
    R716 R717 R718 R720 R721 R801 R802 R804 R806 R821 R822 R823 R824 R901 R905 R906
    R911 R912 R914 R915 R916
}

/// The page of a code.
pub fn page(code: &str) -> Option<&'static str> {
    PAGES.iter().find(|(known, _)| *known == code).map(|(_, text)| *text)
}

/// Codes that have a page, in order.
pub fn codes() -> impl Iterator<Item = &'static str> {
    PAGES.iter().map(|(code, _)| *code)
}

/// An example of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Must give the finding.
    pub wrong: bool,
    /// A whole policy. Its first line may say how it is checked: `# check: --today 2026-11-24`.
    pub text: &'static str,
    /// Files that stand beside it: name and text.
    pub beside: Vec<(&'static str, &'static str)>,
}

/// The examples of a page: fenced blocks marked `route`, wrong until the heading "right". Other blocks are files of that part, named
/// behind their language: `yaml catalog.yaml`.
pub fn examples(page: &'static str) -> Vec<Example> {
    let right = page.find("\n## Right").unwrap_or(page.len());
    let blocks: Vec<(bool, &str, &str)> = blocks(page).map(|(at, info, text)| (at < right, info, text)).collect();
    let policies = blocks.iter().filter(|(_, info, _)| *info == "route");
    policies
        .map(|(wrong, _, text)| {
            let part = blocks.iter().filter(|(own, ..)| own == wrong);
            let beside = part.filter_map(|(_, info, text)| Some((info.split_once(' ')?.1, *text))).collect();
            Example { wrong: *wrong, text, beside }
        })
        .collect()
}

/// Fenced blocks: where each begins, what stands behind the fence, and the text.
fn blocks(page: &'static str) -> impl Iterator<Item = (usize, &'static str, &'static str)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let open = from + page[from..].find("```")?;
        let line = open + 3 + page[open + 3..].find('\n')?;
        let close = line + 1 + page[line + 1..].find("```")?;
        from = close + 3;
        Some((open, page[open + 3..line].trim(), &page[line + 1..close]))
    })
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
