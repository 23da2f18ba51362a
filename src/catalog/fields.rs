//! The fields of a row under the names that `catalog.yaml` gives them.
//!
//! In: rows. Out: names and values as text, and what differs between two rows. Must not know: terminals.

use serde_json::{Map, Value};

use super::{Entry, Kind, Pin, Price, Status, Text};
use crate::units::Tokens;

/// As the file writes it.
pub const fn pin(pin: Pin) -> &'static str {
    match pin {
        Pin::Dated => "dated",
        Pin::Numbered => "numbered",
        Pin::UndatedDocumented => "undated_documented",
        Pin::UndatedUnconfirmed => "undated_unconfirmed",
        Pin::Moving => "moving",
    }
}

const fn status(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Deprecated => "deprecated",
        Status::Rerouted => "rerouted",
        Status::Retired => "retired",
        Status::NeverServed => "never_served",
    }
}

/// `922k`
pub fn tokens(count: u64) -> String {
    Tokens(count).to_string()
}

/// Every field a row states, in the order a reader looks for them.
pub fn of(entry: &Entry) -> Vec<(&'static str, String)> {
    let mut rows: Vec<(&'static str, Option<String>)> = vec![
        ("kind", Some(if entry.kind == Kind::Snapshot { "snapshot" } else { "alias" }.to_owned())),
        ("pin", Some(pin(entry.pin).to_owned())),
        ("status", Some(status(entry.status).to_owned())),
        ("points_to", text(entry.points_to.as_deref())),
        ("family", text(entry.family.as_deref())),
        ("tier", text(entry.tier.as_deref())),
        ("mode", text(entry.mode.as_deref())),
        ("endpoints", list(&entry.endpoints)),
        ("context_window", entry.context_window.map(tokens)),
        ("max_input", entry.max_input.map(tokens)),
        ("max_output", entry.max_output.map(tokens)),
        ("tokens_margin", entry.tokens_margin.map(|margin| margin.to_string())),
        ("capabilities", capabilities(entry)),
    ];
    rows.extend(prices(entry));
    rows.extend([
        ("released", entry.released.map(|day| day.to_string())),
        ("deprecated_on", entry.deprecated_on.map(|day| day.to_string())),
        ("retires_on", entry.retires_on.map(|day| day.to_string())),
        ("earliest_retirement", entry.earliest_retirement.map(|day| day.to_string())),
        ("rerouted_on", entry.rerouted_on.map(|day| day.to_string())),
        ("rerouted_to", text(entry.rerouted_to.as_deref())),
        ("replacement", text(entry.replacement.as_deref())),
        ("vector_size", entry.vector_size.map(|size| size.to_string())),
        ("azure_versions", list(&entry.azure_versions)),
        ("regions", entry.regions.as_deref().and_then(list)),
        ("retention", text(entry.retention.as_deref())),
        (
            "unverified",
            entry.unverified.then(|| "yes: one third-party table lists it, against the provider's naming".to_owned()),
        ),
        ("note", text(entry.note.as_deref())),
    ]);
    rows.into_iter().filter_map(|(field, value)| Some((field, value?))).collect()
}

fn text(value: Option<&str>) -> Option<String> {
    value.map(str::to_owned)
}

fn list(items: &[Text]) -> Option<String> {
    (!items.is_empty()).then(|| items.join(", "))
}

/// What it can and what it cannot; what nobody states is left out.
fn capabilities(entry: &Entry) -> Option<String> {
    let can = &entry.capabilities;
    let known = [
        ("vision", can.vision),
        ("pdf", can.pdf),
        ("audio", can.audio_input),
        ("video", can.video_input),
        ("tools", can.tools),
        ("parallel_tools", can.parallel_tools),
        ("forced_tool_choice", can.forced_tool_choice),
        ("json_schema", can.json_schema),
        ("streaming", can.streaming),
        ("sampling_params", can.sampling_params),
        ("reasoning", can.reasoning),
        ("batch", can.batch),
        ("prompt_caching", can.prompt_caching),
    ];
    let word = |(name, flag): &(&str, Option<bool>)| {
        flag.map(|yes| if yes { (*name).to_owned() } else { format!("no {name}") })
    };
    let words: Vec<String> = known.iter().filter_map(word).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn prices(entry: &Entry) -> Vec<(&'static str, Option<String>)> {
    let mut rows = Vec::new();
    if let Some(price) = &entry.price {
        rows.push(("price", Some(format!("{} per million tokens", flat(price)))));
        for band in price.long_context.iter() {
            let above = tokens(band.above);
            rows.push((
                "long_context",
                Some(format!("${} in, ${} out, for prompts above {above}", band.input, band.output)),
            ));
        }
    }
    for change in entry.price_changes.iter() {
        rows.push((
            "price_changes",
            Some(format!("${} in, ${} out, from {}", change.input, change.output, change.from)),
        ));
    }
    for peak in entry.price_peaks.iter() {
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let hours = format!("{}-{}", clock(peak.from), clock(peak.to));
        rows.push(("price_peak_utc", Some(format!("${} in, ${} out, {hours}", peak.input, peak.output))));
    }
    rows
}

fn flat(price: &Price) -> String {
    let mut parts = vec![format!("${} in", price.input), format!("${} out", price.output)];
    for (name, value) in [
        ("cached in", price.cached_input),
        ("cache write", price.cache_write),
        ("batch in", price.batch_input),
        ("batch out", price.batch_output),
    ] {
        parts.extend(value.map(|value| format!("${value} {name}")));
    }
    parts.join(", ")
}

/// A row as JSON: names, and the fields it states as text.
pub fn json(entry: &Entry) -> Value {
    let mut page = Map::new();
    page.insert("model".to_owned(), entry.name().into());
    for (field, value) in of(entry) {
        match page.get_mut(field) {
            Some(Value::String(known)) => *known = format!("{known}; {value}"),
            _ => {
                page.insert(field.to_owned(), value.into());
            }
        }
    }
    page.into()
}

/// Field, before, after, for every field that differs.
pub fn changes(old: Option<&Entry>, new: &Entry) -> Vec<(&'static str, String, String)> {
    let before = old.map(of).unwrap_or_default();
    let joined = |rows: &[(&'static str, String)], field: &str| {
        rows.iter().filter(|(name, _)| *name == field).map(|(_, value)| value.clone()).collect::<Vec<_>>().join("; ")
    };
    let after = of(new);
    let mut fields: Vec<&'static str> = after.iter().map(|(field, _)| *field).collect();
    fields.dedup();
    let rows = fields.into_iter().map(|field| (field, joined(&before, field), joined(&after, field)));
    rows.filter(|(_, before, after)| before != after).collect()
}
