//! A page for each code: what, why, wrong, right, how to allow.
//!
//! In: a code. Out: a page in Markdown. Must not know: terminals. Examples are whole policies: the blocks after "wrong" must give
//! the finding, those after "right" must not, and a test holds both.

mod show;

pub use self::show::{json, terminal};

macro_rules! pages {
    ($($code:ident)*) => {
        /// Code and page, by code.
        const PAGES: &[(&str, &str)] =
            &[$((stringify!($code), include_str!(concat!("pages/", stringify!($code), ".md")))),*];
    };
}

pages! {
    R001 R002 R003 R004 R005 R006 R007 R008 R009 R010 R011 R012 R101 R102 R103 R104
    R105 R106 R107 R108 R109 R110 R111 R112 R113 R114 R115 R116 R117 R118 R119 R120
    R121 R122 R201 R202 R203 R204 R205 R206 R207 R208 R209 R210 R211 R212 R213 R214
    R215 R216 R217 R218 R219 R220 R221 R222 R223 R224 R301 R302 R303 R304 R305 R306
    R307 R308 R309 R310 R311 R312 R313 R314 R315 R316 R317 R318 R319 R320 R321 R322
    R323 R324 R325 R326 R327 R328 R329 R330 R331 R332 R333 R334 R401 R402 R403 R404 R405
    R406 R407 R408 R409 R410 R411 R412 R501 R502 R503 R504 R505 R506 R507 R508 R509 R601
    R602 R603 R604 R605 R606 R607 R608 R609 R701 R702 R703 R704 R705 R706 R707 R708
    R709 R710 R711 R712 R713 R714 R715 R716 R717 R718 R719 R720 R721 R801 R802 R803 R804
    R805 R806 R821 R822 R823 R824 R901 R902 R903 R904 R905 R906 R908 R911 R912 R913
    R914 R915 R916 R990
}

/// The page of a code.
pub fn page(code: &str) -> Option<&'static str> {
    PAGES.iter().find(|(known, _)| *known == code).map(|(_, text)| *text)
}

/// Codes that have a page, in order.
pub fn codes() -> impl Iterator<Item = &'static str> {
    PAGES.iter().map(|(code, _)| *code)
}

/// The first sentence of a page: what the finding says.
pub fn summary(page: &'static str) -> String {
    let what = section(page, "").split("\n\n").next().unwrap_or_default().replace('\n', " ");
    // A sentence ends before a capital: names and numbers have dots in them, too.
    let end =
        what.match_indices(". ").find(|(at, _)| what[at + 2..].starts_with(|c: char| c.is_uppercase() || c == '`'));
    end.map_or(what.trim_end_matches('.'), |(at, _)| &what[..at]).to_owned()
}

/// What stands under a heading, without space around it; what stands above the first one for `""`.
pub fn section(page: &'static str, heading: &str) -> &'static str {
    let body = page.split_once('\n').map_or("", |(_, body)| body);
    let found = if heading.is_empty() {
        Some(body)
    } else {
        body.find(&format!("## {heading}\n")).map(|at| &body[at + heading.len() + 4..])
    };
    let rest = found.unwrap_or_default();
    // A comment of an example begins with `# `, never with `## `.
    rest.split("\n## ").next().unwrap_or_default().trim()
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
    use super::super::super::diagnostic::CODES;
    use super::*;

    #[test]
    fn every_page_says_what_why_wrong_right_and_how_to_allow() {
        for (code, text) in PAGES {
            let name = CODES.iter().find(|one| one.code == *code).map(|one| one.name).unwrap();
            assert!(text.starts_with(&format!("# {code} {name}\n\n")), "{code}");
            for heading in ["", "Why", "Wrong", "Right", "Allow"] {
                assert!(!section(text, heading).is_empty(), "{code} lacks {heading:?}");
            }
            let examples = examples(text);
            assert!(examples.iter().any(|one| one.wrong) && examples.iter().any(|one| !one.wrong), "{code}");
            assert!((10..200).contains(&summary(text).len()), "{code}: {}", summary(text));
        }
    }

    #[test]
    fn every_code_has_a_page() {
        let missing: Vec<&str> = CODES.iter().map(|one| one.code).filter(|code| page(code).is_none()).collect();
        assert!(missing.is_empty(), "write src/policy/explain/pages/CODE.md, and add it to the list, for {missing:?}");
        assert!(PAGES.is_sorted(), "pages stand in the order of their codes");
    }

    #[test]
    fn a_page_comes_apart_into_its_parts() {
        let page = "# R1 x\n\nWhat `a. b` is. More.\n\n## Why\n\nb\n\n## Wrong\n\n```yaml a.yaml\nk: 1\n```\n\n```route\n\
                    route 1\n```\n\n## Right\n\n```route\nroute 2\n```\n\n## Allow\n\nno\n";
        let examples = examples(page);
        assert_eq!((examples[0].beside[0], examples[0].text), (("a.yaml", "k: 1\n"), "route 1\n"));
        assert_eq!((examples[1].beside.len(), examples[1].wrong), (0, false));
        let parts = (summary(page), section(page, "Allow"), section(page, "Else"));
        assert_eq!(parts, ("What `a. b` is".to_owned(), "no", ""));
    }
}
