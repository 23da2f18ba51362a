//! Compiles `models.yaml` into statics, so that loading the catalog costs nothing.
//!
//! In: `models.yaml`. Out: `OUT_DIR/models.rs`, which `embedded.rs` includes. Must not know: the rest of the crate, except the
//! shape of a row. An unknown field, value or count fails the build.

#[allow(dead_code, unreachable_pub, missing_docs, reason = "shared with the overlay, which uses the rest")]
#[path = "row.rs"]
mod row;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use row::{CapabilityRow, Count, Day, Dollars, KindWord, PinWord, PriceRow, Row, StatusWord};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u32,
    as_of: Day,
    currency: String,
    #[serde(rename = "packages")]
    _packages: BTreeMap<String, String>,
    counts: BTreeMap<String, Counts>,
    models: Vec<Row>,
}

#[derive(Deserialize, Default, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
struct Counts {
    snapshot: usize,
    alias: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=src/catalog/models.yaml");
    println!("cargo:rerun-if-changed=src/catalog/row.rs");
    println!("cargo:rerun-if-changed=src/catalog/build.rs");
    let root = env::var("CARGO_MANIFEST_DIR")?;
    let text = fs::read_to_string(Path::new(&root).join("src/catalog/models.yaml"))?;
    let file: File = serde_yaml::from_str(&text).map_err(|e| format!("src/catalog/models.yaml: {e}"))?;
    verify(&file).map_err(|e| format!("src/catalog/models.yaml: {e}"))?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("models.rs"), render(file)?)?;
    Ok(())
}

/// What serde cannot see: the header, and rules that hold between fields.
fn verify(file: &File) -> Result<(), String> {
    if file.schema != 1 || file.currency != "USD per 1M tokens" {
        return Err(format!("schema {} in `{}` is not what this version reads", file.schema, file.currency));
    }
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    for row in &file.models {
        let name = format!("{}/{}", row.provider, row.id);
        let kind = row.kind.ok_or(format!("{name} has no kind"))?;
        let pin = row.pin.ok_or(format!("{name} has no pin"))?;
        let status = row.status.ok_or(format!("{name} has no status"))?;
        if (kind == KindWord::Alias) != (pin == PinWord::Moving) {
            return Err(format!("{name} is {} and {}", kind.word(), pin.word()));
        }
        if row.revision.is_some() || row.regions.is_some() || row.retention.is_some() || row.tokens_margin.is_some() {
            return Err(format!("{name} states a fact that only an overlay can know"));
        }
        if status == StatusWord::Rerouted && (row.rerouted_to.is_none() || row.rerouted_on.is_none()) {
            return Err(format!("{name} is rerouted, but not to what or since when"));
        }
        if row.price.as_ref().is_some_and(|price| price.input.is_none()) {
            return Err(format!("{name} has a price without `input`"));
        }
        let seen = counts.entry(row.provider.clone()).or_default();
        *if kind == KindWord::Alias { &mut seen.alias } else { &mut seen.snapshot } += 1;
    }
    if counts != file.counts {
        return Err(format!("counts say {:?}, the rows are {counts:?}", file.counts));
    }
    Ok(())
}

fn render(file: File) -> Result<String, Box<dyn Error>> {
    let mut models = file.models;
    models.sort_by(|a, b| (&a.provider, &a.id).cmp(&(&b.provider, &b.id)));
    if let Some(pair) =
        models.windows(2).find(|pair| (&pair[0].provider, &pair[0].id) == (&pair[1].provider, &pair[1].id))
    {
        return Err(format!("{}/{} is there twice", pair[0].provider, pair[0].id).into());
    }
    let mut out = String::new();
    writeln!(out, "pub(super) static AS_OF: Date = {};", day(file.as_of))?;
    writeln!(out, "pub(super) static ENTRIES: [Entry; {}] = [", models.len())?;
    for row in &models {
        entry(&mut out, row)?;
    }
    writeln!(out, "];")?;
    let mut by_id: Vec<usize> = (0..models.len()).collect();
    by_id.sort_by_key(|at| &models[*at].id);
    writeln!(out, "pub(super) static BY_ID: [u16; {}] = {by_id:?};", by_id.len())?;
    Ok(out)
}

fn entry(out: &mut String, row: &Row) -> Result<(), Box<dyn Error>> {
    writeln!(out, "Entry {{ provider: {}, id: {}, revision: None,", text(&row.provider), text(&row.id))?;
    let (kind, pin, status) = (row.kind.ok_or("kind")?, row.pin.ok_or("pin")?, row.status.ok_or("status")?);
    writeln!(out, "kind: Kind::{kind:?}, pin: Pin::{pin:?}, status: Status::{status:?},")?;
    writeln!(out, "points_to: {}, family: {},", maybe(&row.points_to), maybe(&row.family))?;
    writeln!(out, "tier: {},", maybe(&row.tier.map(|tier| tier.word().to_owned())))?;
    writeln!(out, "mode: {},", maybe(&row.mode.map(|mode| mode.word().to_owned())))?;
    writeln!(out, "endpoints: {},", list(row.endpoints.as_deref().unwrap_or_default()))?;
    writeln!(out, "context_window: {},", count(row.context_window))?;
    writeln!(out, "max_input: {}, max_output: {},", count(row.max_input), count(row.max_output))?;
    writeln!(out, "capabilities: {},", capabilities(row))?;
    writeln!(out, "price: {},", row.price.as_ref().map_or("None".into(), |it| format!("Some({})", price(it))))?;
    let changes = row.price_changes.iter().flatten().map(|it| {
        let (input, output, cached) = (dollars(it.input), dollars(it.output), maybe_dollars(it.cached_input));
        format!("PriceChange {{ from: {}, input: {input}, output: {output}, cached_input: {cached} }}", day(it.from))
    });
    writeln!(out, "price_changes: Cow::Borrowed(&[{}]),", changes.collect::<Vec<_>>().join(", "))?;
    let peaks = row.price_peak_utc.iter().flatten().map(|it| {
        let (input, output, cached) = (dollars(it.input), dollars(it.output), maybe_dollars(it.cached_input));
        let (from, to) = (it.utc.from, it.utc.to);
        format!("PricePeak {{ from: {from}, to: {to}, input: {input}, output: {output}, cached_input: {cached} }}")
    });
    writeln!(out, "price_peaks: Cow::Borrowed(&[{}]),", peaks.collect::<Vec<_>>().join(", "))?;
    writeln!(out, "released: {}, deprecated_on: {},", maybe_day(row.released), maybe_day(row.deprecated_on))?;
    writeln!(out, "retires_on: {},", maybe_day(row.retires_on))?;
    writeln!(out, "earliest_retirement: {},", maybe_day(row.earliest_retirement))?;
    writeln!(out, "rerouted_on: {},", maybe_day(row.rerouted_on))?;
    writeln!(out, "replacement: {}, rerouted_to: {},", maybe(&row.replacement), maybe(&row.rerouted_to))?;
    writeln!(out, "vector_size: {}, azure_model: {},", count(row.vector_size), maybe(&row.azure_model))?;
    writeln!(out, "azure_version: {},", maybe(&row.azure_version))?;
    writeln!(out, "azure_versions: {},", list(row.azure_versions.as_deref().unwrap_or_default()))?;
    writeln!(out, "note: {}, regions: None, retention: None, tokens_margin: None,", maybe(&row.note))?;
    writeln!(out, "unverified: {} }},", row.unverified.unwrap_or(false))?;
    Ok(())
}

fn capabilities(whole: &Row) -> String {
    let row = &whole.capabilities.unwrap_or_default();
    let (taken, refused) = whole.efforts().unwrap_or_default();
    let CapabilityRow { vision, pdf, audio_in, video_in, tools, parallel_tools, json_schema, streaming, .. } = row;
    let CapabilityRow { sampling_params, forced_tool_choice, reasoning, batch, prompt_caching, .. } = row;
    let CapabilityRow { adaptive_thinking, thinking_always_on, assistant_prefill, mid_conversation_system, .. } = row;
    format!(
        "Capabilities {{ vision: {vision:?}, pdf: {pdf:?}, audio_input: {audio_in:?}, video_input: {video_in:?}, \
         tools: {tools:?}, parallel_tools: {parallel_tools:?}, json_schema: {json_schema:?}, streaming: {streaming:?}, \
         sampling_params: {sampling_params:?}, forced_tool_choice: {forced_tool_choice:?}, reasoning: {reasoning:?}, \
         batch: {batch:?}, prompt_caching: {prompt_caching:?}, adaptive_thinking: {adaptive_thinking:?}, \
         thinking_always_on: {thinking_always_on:?}, assistant_prefill: {assistant_prefill:?}, \
         mid_conversation_system: {mid_conversation_system:?}, \
         efforts: Efforts {{ taken: {taken}, refused: {refused} }} }}"
    )
}

/// A price without `output` is an embedding model's: it answers no tokens.
fn price(row: &PriceRow) -> String {
    let bands = row.long_context.iter().flatten().map(|band| {
        format!(
            "PriceBand {{ above: {}, input: {}, output: {}, cached_input: {}, cache_write: {} }}",
            band.above.0,
            dollars(band.input),
            dollars(band.output),
            maybe_dollars(band.cached_input),
            maybe_dollars(band.cache_write)
        )
    });
    format!(
        "Price {{ input: {}, output: {}, cached_input: {}, cache_write: {}, cache_write_1h: {}, batch_input: {}, \
         batch_output: {}, priority_input: {}, priority_output: {}, long_context: Cow::Borrowed(&[{}]) }}",
        dollars(row.input.unwrap_or(Dollars(0.0))),
        dollars(row.output.unwrap_or(Dollars(0.0))),
        maybe_dollars(row.cached_input),
        maybe_dollars(row.cache_write),
        maybe_dollars(row.cache_write_1h),
        maybe_dollars(row.batch_input),
        maybe_dollars(row.batch_output),
        maybe_dollars(row.priority_input),
        maybe_dollars(row.priority_output),
        bands.collect::<Vec<_>>().join(", ")
    )
}

fn text(text: &str) -> String {
    format!("Cow::Borrowed({text:?})")
}

fn maybe(words: &Option<String>) -> String {
    words.as_ref().map_or("None".into(), |words| format!("Some({})", text(words)))
}

fn list(items: &[String]) -> String {
    format!("Cow::Borrowed(&[{}])", items.iter().map(|item| text(item)).collect::<Vec<_>>().join(", "))
}

fn count(count: Option<Count>) -> String {
    count.map_or("None".into(), |Count(count)| format!("Some({count})"))
}

fn dollars(Dollars(dollars): Dollars) -> String {
    format!("{dollars:?}")
}

fn maybe_dollars(price: Option<Dollars>) -> String {
    price.map_or("None".into(), |price| format!("Some({})", dollars(price)))
}

fn day(Day { year, month, day }: Day) -> String {
    format!("Date::constant({year}, {month}, {day})")
}

fn maybe_day(date: Option<Day>) -> String {
    date.map_or("None".into(), |date| format!("Some({})", day(date)))
}
