//! A request for a model of this dialect.
//!
//! In: a conversation in nobody's words, and whom it is for. Out: the body, the version it is written in, and what it does not
//! say any more. Must not know: credentials, sockets.

use super::ids::is_word;
use super::think::{self, Told};
use super::turns::{Turns, blank};
use crate::dialect::Dialect;
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{
    Conversation, Field, Format, Notes, Sampling, Target, Tool, ToolChoice, ToolMode, Written,
};
use crate::json::Raw;
use crate::json::write::{Object, object};

/// Longest name of a tool.
pub const MAX_TOOL_NAME: usize = 128;
/// The version that takes `temperature`, `top_p` and `top_k`, of models that do.
pub const VERSION_WITH_SAMPLING: &str = "2023-06-01";
/// The version for everything else.
pub const VERSION: &str = "2026-10-21";

/// The body.
///
/// # Errors
/// A refusal for what the model cannot be told.
pub fn request(said: &Conversation<'_>, target: &Target<'_>) -> Result<Written, BadBody> {
    let mut notes = Notes::default();
    said.leave_out_extras(Dialect::Messages, target, &mut notes)?;
    if said.choices > 1 {
        return Err(said.refuse(Field::Choices, target, "gives one answer at a time"));
    }
    let cap = target.cap_or_default(said.max_output);
    note_cap(said, cap, &mut notes);
    let told = think::told(said, target, cap, &mut notes)?;
    let sampling = sampling(said, target, told, &mut notes)?;
    let tools = tools(said, target)?;
    let choice = choice(said, target, told, &mut notes)?;
    check_format(said, target)?;
    let mut body = Vec::with_capacity(1024);
    let mut outcome = Ok(());
    object(&mut body, |o| {
        outcome = members(o, said, target, &mut notes, &tools);
        o.number("max_tokens", cap);
        tool_choice(o, said, &tools, choice.as_ref());
        thinking(o, said, told);
        for (name, value) in
            [("temperature", &sampling.temperature), ("top_p", &sampling.top_p), ("top_k", &sampling.top_k)]
        {
            if let Some(value) = value {
                o.raw(name, value);
            }
        }
    });
    outcome?;
    Ok(Written { body, notes })
}

/// What `anthropic-version` says beside the body that [`request`] writes: a header, or a field of the body where the provider
/// has it there.
pub fn version(said: &Conversation<'_>, target: &Target<'_>) -> &'static str {
    let told = think::told(said, target, target.cap_or_default(said.max_output), &mut Notes::default());
    let written = told.and_then(|told| sampling(said, target, told, &mut Notes::default()));
    match written {
        Ok(Sampling { temperature: None, top_p: None, top_k: None, .. }) | Err(_) => VERSION,
        Ok(_) => VERSION_WITH_SAMPLING,
    }
}

/// Everything that is written before the numbers.
fn members(
    o: &mut Object<'_>,
    said: &Conversation<'_>,
    target: &Target<'_>,
    notes: &mut Notes,
    tools: &[&Tool<'_>],
) -> Result<(), BadBody> {
    let stop = stop(said, target, notes)?;
    let mut turns = Turns { said, target, notes, cache_marks: 0 };
    let mut outcome = Ok(());
    o.text("model", target.model);
    if !tools.is_empty() {
        o.array("tools", |list| tools.iter().for_each(|tool| list.object(|o| write_tool(o, tool, &mut turns))));
    }
    turns.system(o)?;
    o.array("messages", |list| outcome = turns.messages(list));
    outcome?;
    if !stop.is_empty() {
        o.array("stop_sequences", |list| stop.iter().for_each(|text| list.quoted(text)));
    }
    if let Some(user) = said.user.as_ref().filter(|user| !user.is_empty()) {
        o.object("metadata", |o| o.quoted("user_id", user));
    }
    if said.stream {
        o.boolean("stream", true);
    }
    Ok(())
}

fn note_cap(said: &Conversation<'_>, cap: u64, notes: &mut Notes) {
    if said.max_output.is_none() {
        notes.adapted.push(format!("{} none->{cap}", Field::MaxOutput.of(said.from)).into());
    }
}

fn stop<'w, 'a>(
    said: &'w Conversation<'a>,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Vec<&'w crate::json::Quoted<'a>>, BadBody> {
    let written: Vec<_> = said.stop.iter().filter(|text| !blank(text)).collect();
    if written.len() < said.stop.len() {
        let why = "takes no text of nothing but space as the end of an answer";
        said.drop_or_refuse(Field::Stop, target, notes, why)?;
    }
    Ok(written)
}

/// What is written of it.
fn sampling<'w>(
    said: &'w Conversation<'_>,
    target: &Target<'_>,
    told: Told,
    notes: &mut Notes,
) -> Result<Sampling<'w>, BadBody> {
    let asked = &said.sampling;
    for (field, value, neutral) in [
        (Field::FrequencyPenalty, &asked.frequency_penalty, Some(0.0)),
        (Field::PresencePenalty, &asked.presence_penalty, Some(0.0)),
        (Field::Seed, &asked.seed, None),
    ] {
        // A penalty of nothing asks for nothing.
        if let Some(value) = value
            && (neutral.is_none() || number(value) != neutral)
        {
            said.drop_or_refuse(field, target, notes, "has no such setting")?;
        }
    }
    let mut written = Sampling::default();
    let fixed = target.able.sampling_params == Some(false);
    for (field, value, into) in [
        (Field::Temperature, &asked.temperature, &mut written.temperature),
        (Field::TopP, &asked.top_p, &mut written.top_p),
        (Field::TopK, &asked.top_k, &mut written.top_k),
    ] {
        let Some(value) = value else { continue };
        // The default, which need not be told.
        if number(value) == Some(1.0) && field != Field::TopK {
            continue;
        }
        if fixed || told.on() {
            let why =
                if fixed { "draws its words in its own way" } else { "draws its words in its own way as it thinks" };
            said.drop_or_refuse(field, target, notes, why)?;
            continue;
        }
        *into = Some(Raw(value.0.as_ref().into()));
    }
    if let Some(value) = &mut written.temperature
        && number(value).is_some_and(|value| value > 1.0)
    {
        if !target.lenient {
            return Err(said.refuse(Field::Temperature, target, "takes a temperature of at most 1"));
        }
        notes.adapted.push(format!("{} {}->1.0", Field::Temperature.of(said.from), value.0).into());
        *value = Raw("1.0".into());
    }
    if written.temperature.is_some() && written.top_p.is_some() {
        said.drop_or_refuse(Field::TopP, target, notes, "takes a temperature or `top_p`, and not both")?;
        written.top_p = None;
    }
    Ok(written)
}

fn number(raw: &Raw<'_>) -> Option<f64> {
    raw.0.parse().ok()
}

/// Those that the choice allows.
fn tools<'w, 'a>(said: &'w Conversation<'a>, target: &Target<'_>) -> Result<Vec<&'w Tool<'a>>, BadBody> {
    if said.tools.is_empty() {
        return Ok(Vec::new());
    }
    if target.able.tools == Some(false) {
        return Err(said.refuse(Field::Tools, target, "calls no functions"));
    }
    let limits = |choice: &&ToolChoice<'_>| match (choice.mode, choice.only.len()) {
        (ToolMode::Auto, names) => names > 0,
        // A single name is told as the choice, beside all others.
        (ToolMode::Required, names) => names > 1,
        (ToolMode::None, _) => false,
    };
    let names = said.tool_choice.as_ref().filter(limits).map(ToolChoice::names);
    let named = |tool: &&Tool<'_>| names.as_ref().is_none_or(|names| names.contains(&tool.name.decode()));
    let tools: Vec<_> = said.tools.iter().filter(named).collect();
    if tools.is_empty() {
        return Err(said.refuse(Field::ToolChoice, target, "can call only functions that are among the tools"));
    }
    if let Some(odd) = tools.iter().find(|tool| !is_word(tool.name.written(), MAX_TOOL_NAME)) {
        let why = format!(
            "takes names of functions of at most {MAX_TOOL_NAME} letters, digits, '_' and '-', and '{}' is none",
            odd.name.decode()
        );
        return Err(said.refuse(Field::Tools, target, &why));
    }
    Ok(tools)
}

/// The choice as this model can be told.
fn choice<'w>(
    said: &'w Conversation<'_>,
    target: &Target<'_>,
    told: Told,
    notes: &mut Notes,
) -> Result<Option<ToolChoice<'w>>, BadBody> {
    let Some(choice) = said.tool_choice.as_ref().filter(|_| !said.tools.is_empty()) else { return Ok(None) };
    let forced = choice.mode == ToolMode::Required;
    let thinks = matches!(told.kind, Some(think::Kind::Budget(_)));
    if forced && (target.able.forced_tool_choice == Some(false) || thinks) {
        if !target.lenient {
            let why = if thinks {
                "cannot be made to call a function while it thinks"
            } else {
                "cannot be made to call a function"
            };
            return Err(said.refuse(Field::ToolChoice, target, why));
        }
        notes.adapted.push(format!("{} required->auto", Field::ToolChoice.of(said.from)).into());
        return Ok(Some(ToolChoice { mode: ToolMode::Auto, only: Vec::new() }));
    }
    Ok(Some(choice.clone()))
}

fn write_tool(o: &mut Object<'_>, tool: &Tool<'_>, turns: &mut Turns<'_, '_>) {
    o.quoted("name", &tool.name);
    if let Some(description) = tool.description.as_ref().filter(|text| !text.is_empty()) {
        o.quoted("description", description);
    }
    match &tool.schema {
        Some(schema) => o.raw("input_schema", schema),
        None => o.object("input_schema", |o| {
            o.text("type", "object");
            o.object("properties", |_| {});
        }),
    }
    if tool.strict == Some(true) {
        o.boolean("strict", true);
    }
    turns.cache(o, tool.cache);
}

fn tool_choice(o: &mut Object<'_>, said: &Conversation<'_>, tools: &[&Tool<'_>], choice: Option<&ToolChoice<'_>>) {
    if tools.is_empty() || choice.is_none() && !said.one_call {
        return;
    }
    let mode = choice.map_or(ToolMode::Auto, |choice| choice.mode);
    let only = choice.map(|choice| &choice.only[..]).unwrap_or_default();
    o.object("tool_choice", |o| {
        match (mode, only) {
            (ToolMode::Auto, _) => o.text("type", "auto"),
            (ToolMode::None, _) => o.text("type", "none"),
            (ToolMode::Required, [name]) => {
                o.text("type", "tool");
                o.quoted("name", name);
            }
            (ToolMode::Required, _) => o.text("type", "any"),
        }
        if said.one_call && mode != ToolMode::None {
            o.boolean("disable_parallel_tool_use", true);
        }
    });
}

fn check_format(said: &Conversation<'_>, target: &Target<'_>) -> Result<(), BadBody> {
    match &said.format {
        Some(Format::JsonObject) => {
            Err(said.refuse(Field::Format, target, "gives JSON only to a schema; name the schema"))
        }
        Some(Format::Schema { .. }) if target.able.json_schema == Some(false) => {
            Err(said.refuse(Field::Format, target, "cannot be held to a schema"))
        }
        _ => Ok(()),
    }
}

/// `thinking`, and `output_config`, which holds the effort and the shape of the answer.
fn thinking(o: &mut Object<'_>, said: &Conversation<'_>, told: Told) {
    match told.kind {
        None => {}
        Some(think::Kind::Disabled) => o.object("thinking", |o| o.text("type", "disabled")),
        Some(think::Kind::Adaptive) => o.object("thinking", |o| o.text("type", "adaptive")),
        Some(think::Kind::Budget(tokens)) => o.object("thinking", |o| {
            o.text("type", "enabled");
            o.number("budget_tokens", tokens);
        }),
    }
    let schema = match &said.format {
        Some(Format::Schema { schema, .. }) => Some(schema),
        _ => None,
    };
    if told.effort.is_none() && schema.is_none() {
        return;
    }
    o.object("output_config", |o| {
        if let Some(effort) = told.effort {
            o.text("effort", effort.word());
        }
        if let Some(schema) = schema {
            o.object("format", |o| {
                o.text("type", "json_schema");
                o.raw("schema", schema);
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::read::conversation;
    use super::*;
    use crate::catalog::Capabilities;
    use crate::dialect::canonical::{Effort, Thinking};
    use crate::json::Quoted;

    fn target(able: Capabilities) -> Target<'static> {
        Target {
            model: "claude-x",
            max_output: None,
            model_max_output: None,
            able,
            output_cap: "max_tokens",
            lenient: false,
        }
    }

    /// Of a user who says "x".
    fn said() -> Conversation<'static> {
        let mut said =
            conversation(br#"{"model":"m","max_tokens":4000,"messages":[{"role":"user","content":"x"}]}"#).unwrap();
        said.from = Dialect::Chat;
        said
    }

    /// What is written beside model, messages and cap, and what was said about it.
    fn written(said: &Conversation<'_>, target: &Target<'_>) -> Result<(String, Notes), String> {
        let written =
            request(said, target).map_err(|bad| format!("{}: {}", bad.param.unwrap_or_default(), bad.message))?;
        let body = String::from_utf8(written.body).unwrap();
        serde_json::from_str::<serde_json::Value>(&body).unwrap();
        let rest =
            body.replace(r#""model":"claude-x","#, "").replace(r#""messages":[{"role":"user","content":"x"}],"#, "");
        Ok((rest.replace(r#""max_tokens":4000"#, ""), written.notes))
    }

    fn body(said: &Conversation<'_>, target: &Target<'_>) -> String {
        written(said, target).unwrap().0
    }

    #[test]
    fn what_is_read_is_written_again() {
        let body = concat!(
            r#"{"model":"claude-x","tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"strict":true,"#,
            r#""cache_control":{"type":"ephemeral"}},{"name":"g","input_schema":{"type": "object"}}],"#,
            r#""system":[{"type":"text","text":"One.","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"Two."}],"#,
            r#""messages":[{"role":"user","content":"Hi \"you\""},{"role":"assistant","content":[{"type":"text","text":"Let me see."},"#,
            r#"{"type":"tool_use","id":"toolu_1","name":"f","input":{"city": "Köln"}}]},"#,
            r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"rain","is_error":true},"#,
            r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},"#,
            r#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"words"},"title":"T"}]},"#,
            r#"{"role":"assistant","content":"So"},{"role":"system","content":"Later."},{"role":"user","content":"Go on"}],"#,
            r#""stop_sequences":["END"],"metadata":{"user_id":"u-1"},"stream":true,"max_tokens":300,"#,
            r#""tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},"#,
            r#""thinking":{"type":"adaptive"},"output_config":{"effort":"high","format":{"type":"json_schema","schema":{"type":"object"}}},"#,
            r#""top_k":5}"#,
        );
        let mut said = conversation(body.as_bytes()).unwrap();
        let thinks = target(Capabilities { adaptive_thinking: Some(true), ..Capabilities::NONE });
        assert!(written(&said, &thinks).unwrap_err().starts_with("top_k: "));
        said.sampling.top_k = None;
        let (again, notes) = written(&said, &thinks).unwrap();
        let wanted = body.replace(r#","top_k":5"#, "").replace(r#""model":"claude-x","#, "");
        assert_eq!((again, notes), (wanted, Notes::default()));
        assert_eq!(version(&said, &thinks), VERSION);
    }

    #[test]
    fn sampling_is_written_for_models_that_take_it() {
        let old = target(Capabilities { sampling_params: Some(true), ..Capabilities::NONE });
        let new = target(Capabilities { sampling_params: Some(false), ..Capabilities::NONE });
        let with = |temperature: Option<&'static str>, top_p: Option<&'static str>| {
            let mut said = said();
            said.sampling.temperature = temperature.map(|text| Raw(text.into()));
            said.sampling.top_p = top_p.map(|text| Raw(text.into()));
            said
        };
        assert_eq!(body(&with(Some("0.20"), Some("1")), &old), r#"{,"temperature":0.20}"#);
        assert_eq!(version(&with(Some("0.20"), None), &old), VERSION_WITH_SAMPLING);
        for (said, target) in [(with(Some("1.0"), None), &old), (with(Some("1"), Some("1.0")), &new)] {
            assert_eq!((body(&said, target), version(&said, target)), ("{}".to_owned(), VERSION));
        }
        assert!(written(&with(Some("0.2"), None), &new).unwrap_err().starts_with("temperature: "));
        let lenient = Target { lenient: true, ..new };
        let (body, notes) = written(&with(Some("0.2"), None), &lenient).unwrap();
        assert_eq!((&*body, &notes.dropped[..]), ("{}", &["temperature".into()][..]));
        assert_eq!(version(&with(Some("0.2"), None), &lenient), VERSION);
        assert!(written(&with(Some("1.4"), None), &old).unwrap_err().contains("at most 1"));
        let (body, notes) = written(&with(Some("1.4"), None), &Target { lenient: true, ..old }).unwrap();
        assert_eq!((&*body, &notes.adapted[..]), (r#"{,"temperature":1.0}"#, &["temperature 1.4->1.0".into()][..]));
        assert!(written(&with(Some("0.4"), Some("0.9")), &old).unwrap_err().starts_with("top_p: "));
    }

    #[test]
    fn what_has_no_place_is_refused_or_named() {
        let refused = |change: fn(&mut Conversation<'_>)| {
            let mut said = said();
            change(&mut said);
            let strict = written(&said, &target(Capabilities::NONE)).unwrap_err();
            let lenient = written(&said, &Target { lenient: true, ..target(Capabilities::NONE) });
            (
                strict.split(':').next().unwrap_or_default().to_owned(),
                lenient.map(|(_, notes)| notes.dropped.len()).ok(),
            )
        };
        assert_eq!(refused(|said| said.choices = 2), ("n".to_owned(), None));
        assert_eq!(refused(|said| said.format = Some(Format::JsonObject)), ("response_format".to_owned(), None));
        assert_eq!(refused(|said| said.sampling.seed = Some(Raw("7".into()))), ("seed".to_owned(), Some(1)));
        assert_eq!(refused(|said| said.stop = vec![Quoted::of("\n")]), ("stop".to_owned(), Some(1)));
        let penalty = |said: &mut Conversation<'_>| said.sampling.presence_penalty = Some(Raw("0.1".into()));
        assert_eq!(refused(penalty), ("presence_penalty".to_owned(), Some(1)));
        let mut neutral = said();
        neutral.sampling.frequency_penalty = Some(Raw("0.0".into()));
        assert_eq!(body(&neutral, &target(Capabilities::NONE)), "{}");
    }

    #[test]
    fn a_cap_is_always_written() {
        let mut said = said();
        said.max_output = None;
        let target = target(Capabilities::NONE);
        let (body, notes) = written(&said, &target).unwrap();
        assert_eq!(
            (&*body, &notes.adapted[..]),
            (r#"{"max_tokens":8192}"#, &["max_completion_tokens none->8192".into()][..])
        );
        let small = Target { model_max_output: Some(4096), ..target };
        assert_eq!(written(&said, &small).unwrap().0, r#"{"max_tokens":4096}"#);
        said.max_output = Some(100_000);
        assert_eq!(written(&said, &Target { max_output: Some(500), ..target }).unwrap().0, r#"{"max_tokens":500}"#);
    }

    #[test]
    fn thinking_is_told_as_the_model_takes_it() {
        let words = |thinking, able: Capabilities, lenient| {
            let mut said = said();
            said.thinking = Some(thinking);
            written(&said, &Target { lenient, ..target(able) }).map(|(body, notes)| {
                let adapted = notes.adapted.first().map(|text| text.clone().into_owned()).unwrap_or_default();
                (body, adapted)
            })
        };
        let some = |body: &str, adapted: &str| Ok((body.to_owned(), adapted.to_owned()));
        let none = Capabilities::NONE;
        let adaptive = Capabilities { adaptive_thinking: Some(true), reasoning: Some(true), ..none };
        let budgets = Capabilities { reasoning: Some(true), ..none };
        let high = r#"{,"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}}"#;
        for able in [adaptive, none] {
            assert_eq!(words(Thinking::Effort(Effort::High), able, false), some(high, ""));
        }
        assert_eq!(words(Thinking::Adaptive, adaptive, false), some(r#"{,"thinking":{"type":"adaptive"}}"#, ""));
        assert_eq!(
            words(Thinking::Budget(99), adaptive, false),
            some(r#"{,"thinking":{"type":"adaptive"}}"#, "reasoning_effort 99->adaptive")
        );
        let low = r#"{,"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}}"#;
        assert_eq!(
            words(Thinking::Effort(Effort::Minimal), adaptive, false),
            some(low, "reasoning_effort minimal->low")
        );
        let off = Thinking::Effort(Effort::None);
        assert_eq!(words(off, adaptive, false), some(r#"{,"thinking":{"type":"disabled"}}"#, ""));
        assert_eq!(words(off, Capabilities { reasoning: Some(false), ..none }, false), some("{}", ""));
        let always = Capabilities { thinking_always_on: Some(true), ..adaptive };
        assert!(words(off, always, false).unwrap_err().contains("cannot be kept from thinking"));
        assert_eq!(
            words(off, always, true),
            some(r#"{,"output_config":{"effort":"low"}}"#, "reasoning_effort none->low")
        );
        let budget = |tokens: u64| format!(r#"{{,"thinking":{{"type":"enabled","budget_tokens":{tokens}}}}}"#);
        for (asked, tokens, adapted) in [
            (Thinking::Effort(Effort::Minimal), 1024, "reasoning_effort minimal->1024 tokens"),
            (Thinking::Effort(Effort::Medium), 2000, "reasoning_effort medium->2000 tokens"),
            (Thinking::Effort(Effort::Max), 3500, "reasoning_effort max->3500 tokens"),
            (Thinking::Budget(3000), 3000, ""),
            (Thinking::Budget(4000), 3999, "reasoning_effort 4000->3999 tokens"),
            (Thinking::Budget(1), 1024, "reasoning_effort 1->1024 tokens"),
            (Thinking::Adaptive, 2000, "reasoning_effort adaptive->2000 tokens"),
        ] {
            assert_eq!(words(asked, budgets, false), some(&budget(tokens), adapted), "{asked:?}");
        }
        let mut short = said();
        (short.max_output, short.thinking) = (Some(1024), Some(Thinking::Adaptive));
        assert!(written(&short, &target(budgets)).unwrap_err().starts_with("reasoning_effort: "));
        short.max_output = Some(1025);
        assert!(body(&short, &target(budgets)).contains(r#""budget_tokens":1024"#));
        let silent = Capabilities { reasoning: Some(false), ..none };
        assert!(words(Thinking::Adaptive, silent, false).unwrap_err().starts_with("reasoning_effort: "));
        assert_eq!(words(Thinking::Adaptive, silent, true), some("{}", ""));
    }

    #[test]
    fn a_choice_of_tools_is_told_as_the_model_takes_it() {
        let with = |choice: Option<(ToolMode, &[&'static str])>, one_call, able: Capabilities, lenient| {
            let mut said = said();
            let tool =
                |name| Tool { name: Quoted::of(name), description: None, schema: None, strict: None, cache: None };
            said.tools = ["a", "b", "c"].map(tool).into();
            said.one_call = one_call;
            let only = |only: &[&'static str]| only.iter().map(|name| Quoted::of(name)).collect();
            said.tool_choice = choice.map(|(mode, names)| ToolChoice { mode, only: only(names) });
            written(&said, &Target { lenient, ..target(able) }).map(|(body, notes)| {
                let names =
                    ["a", "b", "c"].into_iter().filter(|name| body.contains(&format!(r#""name":"{name}","input"#)));
                let choice =
                    body.split(r#""tool_choice":"#).nth(1).unwrap_or("}").strip_suffix('}').unwrap_or_default();
                (names.collect::<String>(), choice.to_owned(), notes.adapted.len())
            })
        };
        let some = |names: &str, choice: &str, adapted| Ok((names.to_owned(), choice.to_owned(), adapted));
        let none = Capabilities::NONE;
        assert_eq!(with(None, false, none, false), some("abc", "", 0));
        let one = r#"{"type":"auto","disable_parallel_tool_use":true}"#;
        assert_eq!(with(None, true, none, false), some("abc", one, 0));
        assert_eq!(with(Some((ToolMode::None, &[])), true, none, false), some("abc", r#"{"type":"none"}"#, 0));
        assert_eq!(with(Some((ToolMode::Required, &[])), false, none, false), some("abc", r#"{"type":"any"}"#, 0));
        let named = r#"{"type":"tool","name":"b"}"#;
        assert_eq!(with(Some((ToolMode::Required, &["b"])), false, none, false), some("abc", named, 0));
        assert_eq!(
            with(Some((ToolMode::Required, &["b", "c"])), false, none, false),
            some("bc", r#"{"type":"any"}"#, 0)
        );
        assert_eq!(with(Some((ToolMode::Auto, &["b"])), false, none, false), some("b", r#"{"type":"auto"}"#, 0));
        assert!(with(Some((ToolMode::Auto, &["z"])), false, none, false).unwrap_err().starts_with("tool_choice: "));
        let free = Capabilities { forced_tool_choice: Some(false), ..none };
        assert!(with(Some((ToolMode::Required, &["b"])), false, free, false).unwrap_err().starts_with("tool_choice: "));
        assert_eq!(with(Some((ToolMode::Required, &["b"])), false, free, true), some("abc", r#"{"type":"auto"}"#, 1));
        let mute = Capabilities { tools: Some(false), ..none };
        assert!(with(None, false, mute, true).unwrap_err().starts_with("tools: "));
    }

    #[test]
    fn names_of_tools_have_a_longest() {
        let with = |name: String| {
            let mut said = said();
            let name = Quoted::of(&name).into_owned();
            said.tools = vec![Tool { name, description: None, schema: None, strict: None, cache: None }];
            written(&said, &target(Capabilities::NONE)).map(|_| ())
        };
        assert_eq!(with("n".repeat(MAX_TOOL_NAME)), Ok(()));
        for name in ["n".repeat(MAX_TOOL_NAME + 1), "a.b".to_owned(), String::new()] {
            assert!(with(name).unwrap_err().starts_with("tools: "));
        }
    }
}
