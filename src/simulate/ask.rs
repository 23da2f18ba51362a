//! What a caller asks of a model, whichever dialect it was said in, and what the model answers.
//!
//! In: the parsed parts of a chat request and the fault. Out: an `Answer` of choices, each text or tool calls, with a
//! finish and a usage. Must not know: wire formats.

use serde_json::{Value, json};

use super::fault::{Shape, Trouble};
use super::schema;
use super::text::{Dice, Pieces, Size};

/// Tool calls in one answer.
const MAX_CALLS: usize = 8;
/// What a model says when it declines.
pub const REFUSAL: &str = "I cannot help with that request.";
/// What a model thinks before it answers, where it is told to.
pub const THOUGHT: &str = "The question is plain, and so is the answer.";
/// What stands where JSON was demanded and prose is given instead.
const PROSE: &str = "Here is a sentence where an object was asked for.";

/// A request in neutral words.
#[derive(Debug, Default)]
pub struct Ask {
    /// As the caller named it, the fault asked for by the name included.
    pub model: String,
    /// Whether events are wanted.
    pub stream: bool,
    /// All text of the conversation, in order.
    pub prompt: String,
    /// The text of the last user message, lower case; empty when the last message is a tool's result.
    pub last_user: String,
    /// Functions the model may call.
    pub tools: Vec<Tool>,
    /// Whether it must, may or must not.
    pub choice: ToolChoice,
    /// At most one call.
    pub one_call: bool,
    /// The shape the answer must have.
    pub format: Format,
    /// Most pieces.
    pub cap: Option<u64>,
    /// Answers wanted.
    pub n: u64,
    /// Chat Completions: a last chunk with the usage is wanted.
    pub include_usage: bool,
    /// Messages: the model is told to think before it answers.
    pub thinks: bool,
    /// Messages: tokens of the prompt that were kept from an earlier one.
    pub cache_read: u64,
    /// Messages: tokens of the prompt that are kept for a later one.
    pub cache_write: u64,
}

/// A function the model may call.
#[derive(Debug)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// The JSON schema of its arguments.
    pub parameters: Value,
}

/// What the caller demands about tools.
#[derive(Debug, Default, PartialEq)]
pub enum ToolChoice {
    /// The model decides: here, it calls a tool whose name (or the word "tool") stands in the last user message.
    #[default]
    Auto,
    /// No calls.
    None,
    /// Some call.
    Any,
    /// A call of this one.
    Named(String),
}

/// What the caller demands about text.
#[derive(Debug, Default)]
pub enum Format {
    /// Nothing.
    #[default]
    Prose,
    /// Some JSON object.
    Json,
    /// JSON of this schema.
    Schema(Value),
}

/// Tokens. A prompt counts one per four bytes, an answer one per piece; the same streamed or not.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// The prompt's, those of the cache included.
    pub input: u64,
    /// The answers', together, thinking included.
    pub output: u64,
    /// The part of the answers that is thinking.
    pub thought: u64,
    /// The part of the prompt that was in the cache.
    pub cache_read: u64,
    /// The part of the prompt that went into it.
    pub cache_write: u64,
}

/// Everything the model says.
#[derive(Debug)]
pub struct Answer {
    /// One for each answer asked for.
    pub choices: Vec<Choice>,
    /// What it costs.
    pub usage: Usage,
}

/// One answer.
#[derive(Debug)]
pub struct Choice {
    /// Its content.
    pub says: Says,
    /// Why it ends.
    pub finish: Finish,
}

/// Content of one answer.
#[derive(Clone, Debug)]
pub enum Says {
    /// Text, in pieces.
    Text(Pieces),
    /// Calls.
    Calls(Vec<Call>),
    /// The structural refusal.
    Refusal,
}

/// One tool call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The function.
    pub name: String,
    /// Its arguments; always a JSON object unless a fault says otherwise.
    pub arguments: Value,
}

/// Why an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words are their own description")]
pub enum Finish {
    Stop,
    Length,
    Calls,
    Filtered,
    Refusal,
}

/// Tokens of a prompt: one per four bytes, rounded up.
pub fn prompt_tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

impl Ask {
    /// What the model says to this.
    pub fn answer(&self, shape: &Shape, trouble: Option<&Trouble>) -> Answer {
        let n = self.n.max(1);
        let shape = shape.shared_by(n);
        let choices: Vec<_> = (0..n).map(|index| self.choice(index, &shape, trouble)).collect();
        let said: u64 = choices.iter().map(|choice| choice.says.tokens()).sum();
        let thought = if self.thinks { prompt_tokens(THOUGHT) } else { 0 };
        let (cache_read, cache_write) = (self.cache_read, self.cache_write);
        let input = prompt_tokens(&self.prompt);
        Answer { choices, usage: Usage { input, output: said + thought, thought, cache_read, cache_write } }
    }

    fn choice(&self, index: u64, shape: &Shape, trouble: Option<&Trouble>) -> Choice {
        let dice = Dice::of(self.prompt.as_bytes(), shape.seed.wrapping_add(index));
        if trouble == Some(&Trouble::Refusal) {
            return Choice { says: Says::Refusal, finish: Finish::Refusal };
        }
        let violation = match trouble {
            Some(Trouble::BadSchema { prose }) => Some(*prose),
            _ => None,
        };
        let called = self.called_tools();
        if !called.is_empty() {
            let call = |tool: &&Tool| Call { name: tool.name.clone(), arguments: arguments(tool, &dice, violation) };
            return Choice { says: Says::Calls(called.iter().map(call).collect()), finish: Finish::Calls };
        }
        let size = Size { pieces: shape.events, bytes: shape.bytes, huge: shape.huge_event, cap: self.cap };
        let literal = match (&self.format, violation) {
            (Format::Prose, _) => None,
            (_, Some(true)) => Some(PROSE.to_owned()),
            (_, Some(false)) => Some(r#"{"unexpected": true}"#.to_owned()),
            (Format::Json, None) => Some(json!({"answer": "simulated"}).to_string()),
            (Format::Schema(schema), None) => Some(schema::conforming(schema, dice.clone()).to_string()),
        };
        let pieces = match literal {
            Some(text) => Pieces::literal(text, size),
            None => Pieces::prose(dice, size),
        };
        let finish = match (trouble, pieces.measure()) {
            (Some(Trouble::Filtered), _) => Finish::Filtered,
            (_, (_, true)) => Finish::Length,
            _ => Finish::Stop,
        };
        Choice { says: Says::Text(pieces), finish }
    }

    /// The tools this answer calls; none means text.
    fn called_tools(&self) -> Vec<&Tool> {
        let named = |tool: &&Tool| self.last_user.contains(&tool.name.to_lowercase());
        let most = if self.one_call { 1 } else { MAX_CALLS };
        match &self.choice {
            ToolChoice::None => Vec::new(),
            ToolChoice::Named(name) => self.tools.iter().filter(|tool| tool.name == *name).take(1).collect(),
            ToolChoice::Any => match self.tools.iter().find(named) {
                Some(tool) => vec![tool],
                None => self.tools.iter().take(1).collect(),
            },
            ToolChoice::Auto => {
                let mut called: Vec<_> = self.tools.iter().filter(named).take(most).collect();
                if called.is_empty() && self.last_user.contains("tool") {
                    called.extend(self.tools.first());
                }
                called
            }
        }
    }
}

fn arguments(tool: &Tool, dice: &Dice, violation: Option<bool>) -> Value {
    match violation {
        Some(true) => json!(PROSE),
        Some(false) => json!({"unexpected": true}),
        None => match schema::conforming(&tool.parameters, dice.clone()) {
            object @ Value::Object(_) => object,
            _ => json!({}),
        },
    }
}

impl Says {
    /// Completion tokens.
    fn tokens(&self) -> u64 {
        match self {
            Self::Text(pieces) => pieces.measure().0,
            Self::Calls(calls) => calls.iter().map(|call| 4 + prompt_tokens(&call.arguments.to_string())).sum(),
            Self::Refusal => prompt_tokens(REFUSAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::MAX_EVENTS;
    use super::*;

    fn ask(choice: ToolChoice, last_user: &str) -> Ask {
        let tool = |name: &str| Tool { name: name.into(), parameters: json!({"type": "object"}) };
        let tools = vec![tool("get_weather"), tool("get_time")];
        Ask { tools, choice, last_user: last_user.into(), n: 1, ..Ask::default() }
    }

    #[test]
    fn tools_are_called_when_forced_or_named() {
        let called = |ask: &Ask| ask.called_tools().iter().map(|tool| tool.name.clone()).collect::<Vec<_>>();
        assert!(called(&ask(ToolChoice::Auto, "hello")).is_empty());
        assert_eq!(called(&ask(ToolChoice::Auto, "use get_time and get_weather")), ["get_weather", "get_time"]);
        assert_eq!(called(&ask(ToolChoice::Auto, "use a tool")), ["get_weather"]);
        assert_eq!(called(&ask(ToolChoice::Any, "hello")), ["get_weather"]);
        assert_eq!(called(&ask(ToolChoice::Named("get_time".into()), "hello")), ["get_time"]);
        assert!(called(&ask(ToolChoice::None, "use get_time")).is_empty());
    }

    #[test]
    fn one_answer_calls_as_many_tools_as_the_limit_and_not_one_more() {
        let tool = |at: usize| Tool { name: format!("tool_{at:02}"), parameters: json!({"type": "object"}) };
        let called = |count: usize| {
            let names: Vec<String> = (0..count).map(|at| tool(at).name).collect();
            let ask = Ask { tools: (0..count).map(tool).collect(), ..ask(ToolChoice::Auto, &names.join(" ")) };
            ask.called_tools().len()
        };
        assert_eq!([called(MAX_CALLS), called(MAX_CALLS + 1)], [MAX_CALLS; 2]);
    }

    #[test]
    fn many_answers_share_the_limit_of_one() {
        let shape = Shape { events: Some(MAX_EVENTS), bytes: Some(100), ..Shape::default() };
        assert_eq!(shape.shared_by(1), shape);
        assert_eq!(shape.shared_by(2).events, Some(MAX_EVENTS / 2));
        assert_eq!(shape.shared_by(2).bytes, Some(100));
    }

    #[test]
    fn usage_counts_all_choices() {
        let two = Ask { n: 2, cap: Some(5), prompt: "12345".into(), ..Ask::default() };
        let answer = two.answer(&Shape::default(), None);
        assert_eq!(answer.usage, Usage { input: 2, output: 10, ..Usage::default() });
        assert!(answer.choices.iter().all(|choice| choice.finish == Finish::Length));
    }
}
