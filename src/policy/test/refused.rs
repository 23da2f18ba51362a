//! Why a test's request cannot be asked, as findings at the words that are wrong.
//!
//! In: a mistake of [`super::super::explain::Asker`], the inputs of the test. Out: a finding: R101 to R112 for names and values,
//! R911 for what is missing, R914 for a request that no policy admits. Must not know: decisions.

use super::super::admit::{Reason, Refusal};
use super::super::checked::Subject;
use super::super::diagnostic::{Code, Diagnostic, R101, R102, R104, R107, R108, R110, R112, R911, R914};
use super::super::explain::{Mistake, Wrong};
use super::super::source::Span;
use super::{Input, Missing};

/// The finding of one mistake. `place` is the test's name or row, for what is wrong with the whole.
pub(super) fn finding(mistake: &Mistake, inputs: &[Input], place: Span) -> Diagnostic {
    let input = inputs.iter().find(|input| input.name == mistake.key);
    let name_span = input.map_or(place, |input| input.name_span);
    let value_span = input.map_or(place, |input| input.value_span);
    let with_near = |code: &'static Code, span: Span, near: &Option<String>| {
        let finding = Diagnostic::new(code, span, mistake.message.clone());
        match near {
            Some(near) if input.is_some() => {
                finding.help(format!("write `{near}`")).fix(true, format!("write `{near}`"), span, near.clone())
            }
            _ => finding,
        }
    };
    match &mistake.what {
        Wrong::Key(near) => with_near(&R101, name_span, near),
        Wrong::Value(near) => with_near(&R112, value_span, near),
        Wrong::Derived(from) => {
            let message = format!("`{}` follows from `{from}`", mistake.key);
            Diagnostic::new(&R110, name_span, message).help(format!("give `{from}` instead"))
        }
        Wrong::Twice => Diagnostic::new(&R108, name_span, mistake.message.clone()),
        Wrong::Form => Diagnostic::new(&R110, value_span, mistake.message.clone()),
        Wrong::Refused(refusal) => refused(refusal, name_span, value_span, place),
    }
}

fn refused(refusal: &Refusal, name_span: Span, value_span: Span, place: Span) -> Diagnostic {
    let named = |code: &'static Code| Diagnostic::new(code, value_span, refusal.message.clone());
    match refusal.reason {
        Reason::UnknownFeature => named(&R102),
        Reason::UnknownPlan => named(&R104),
        Reason::UnknownResidency => named(&R107),
        Reason::InvalidAttribute => named(&R112),
        Reason::MissingPlan | Reason::MissingAttribute => {
            let message =
                format!("the request does not say `{}`, which this policy needs of every request", refusal.about);
            Diagnostic::new(&R911, place, message).help(format!("add `{} VALUE` to the request", refusal.about))
        }
        Reason::Contradiction | Reason::PromptTooLong | Reason::UnknownEndpoint => {
            let message = format!("no such request is admitted: {}", refusal.message);
            let status = refusal.reason.status();
            Diagnostic::new(&R914, if name_span == place { place } else { name_span.to(value_span) }, message)
                .note(format!("the proxy answers it with {status} before any rule"))
        }
    }
}

/// R911 for an input that the decision hangs on.
pub(super) fn missing(input: &Missing, place: Span) -> Diagnostic {
    let value = input.example.as_deref().unwrap_or("VALUE");
    let name = &input.input;
    let (what, help) = match input.subject {
        Subject::Clock => ("the clock, ", "add `given now 2026-11-23 10:30`".to_owned()),
        Subject::Budget(_) => ("budget ", format!("add `given budget {name} is {value}`")),
        Subject::Switch(_) => ("switch ", format!("add `given {name} is {value}`")),
        Subject::Signal(_) => ("signal ", format!("add `given {name} is {value}`")),
        Subject::Metric(_) => ("", format!("add `given {name} is {value}`")),
        Subject::Classifier(_) => ("classifier ", format!("add `{name} {value}` to the request")),
        _ => ("", format!("add `{name} {value}` to the request")),
    };
    let message = format!("the decision hangs on {what}`{name}`, which the test does not give");
    Diagnostic::new(&R911, place, message).here("this request could be decided in more than one way").help(help)
}
