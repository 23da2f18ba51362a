//! `wayside/witness`: a request that lands at a rule.
//!
//! In: a document with a rule's name or a place in it. Out: the request in three forms: as fields, as a sentence, as arguments
//! of `wayside explain`. Must not know: how it is found.

use gen_lsp_types::{Position, TextDocumentIdentifier};
use serde::{Deserialize, Serialize};

use super::diagnostics::witness_text;
use super::hover::explanation;
use super::outline::pairs;
use super::state::State;
use crate::policy::checked::RuleId;

/// The method.
pub const METHOD: &str = "wayside/witness";

/// What is asked: `rule`, or the rule around `position`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Params {
    /// The document.
    pub text_document: TextDocumentIdentifier,
    /// A rule by name, or `otherwise`.
    pub rule: Option<String>,
    /// A place in a rule.
    pub position: Option<Position>,
}

/// The answer. Without a request, `reason` says why.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The rule.
    pub rule: String,
    /// The policy it belongs to: what `wayside explain` takes.
    pub policy: String,
    /// Fields of the request.
    pub request: Option<Vec<(String, String)>>,
    /// Readings beside it.
    pub readings: Vec<(String, String)>,
    /// `plan pro, prompt_tokens 2k`
    pub text: Option<String>,
    /// `plan=pro`, `prompt_tokens=2k`
    pub arguments: Vec<String>,
    /// What `wayside explain` says about it.
    pub explanation: Option<String>,
    /// Why there is no request.
    pub reason: Option<String>,
}

/// Finds a request that lands there.
///
/// # Errors
/// When the document or the rule is not there.
pub fn witness(state: &mut State, params: &Params) -> Result<Answer, String> {
    let (set, file) = state.proven(&params.text_document.uri)?;
    let checked = set.checked.clone().ok_or_else(|| "no policy uses this file, so no request reaches it".to_owned())?;
    let id = match (&params.rule, params.position) {
        (Some(name), _) => {
            let at = checked.rules.iter().position(|rule| *rule.name == **name);
            let known = || checked.rules.iter().map(|rule| &*rule.name);
            at.map(|at| RuleId(at as u32)).ok_or_else(|| match crate::names::nearest(name, known()).first() {
                Some(near) => format!("there is no rule `{name}`; the nearest is `{near}`"),
                None => format!("there is no rule `{name}` in policy `{}`", checked.name),
            })?
        }
        (None, Some(position)) => {
            let offset = set.lines(file).offset(set.text(file), position, state.documents.encoding) as u32;
            set.rule(file, offset).ok_or_else(|| "there is no rule at this place".to_owned())?
        }
        (None, None) => return Err("write `rule` or `position` beside `textDocument`".to_owned()),
    };
    let mut answer = Answer {
        rule: checked.rules[id.index()].name.to_string(),
        policy: set.root.to_string_lossy().into_owned(),
        ..Answer::default()
    };
    match set.reach(id) {
        None => answer.reason = Some("no request is known to reach this rule; its findings say why".to_owned()),
        Some(reach) => {
            answer.text = Some(witness_text(&reach.witness));
            answer.arguments = pairs(&reach.witness);
            answer.explanation = explanation(&set, &reach.witness, state.how.today);
            answer.request = Some(reach.witness.request);
            answer.readings = reach.witness.readings;
        }
    }
    Ok(answer)
}
