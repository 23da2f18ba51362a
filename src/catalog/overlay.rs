//! Facts of one deployment, laid over the catalog field by field (language specification, section 3.6).
//!
//! In: the text of `catalog.yaml`. Out: a catalog with those facts, or an error that names row, field and what is expected there.
//! Must not know: files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::civil::Date;
use serde::Deserialize;

use super::entry::{Capabilities, Efforts, Entry, Kind, Pin, Price, PriceBand, PriceChange, PricePeak, Status, Text};
use super::row::{CapabilityRow, Day, Dollars, KindWord, PinWord, PriceRow, Row, StatusWord};
use super::{Catalog, ProviderKind, id_rules};
use crate::names;

/// The largest overlay that is read: ten times the built-in catalog.
pub const MAX_OVERLAY_BYTES: usize = 4 << 20;

/// Deepest nesting of brackets that is read. A row needs three; the YAML reader needs quadratic time for what opens and never
/// closes.
pub const MAX_OVERLAY_NESTING: usize = 32;

/// A parsed overlay.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    as_of: Option<Day>,
    rows: Vec<Row>,
}

/// What is wrong with an overlay, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverlayError {
    /// Line in the text, from 1, if known.
    pub line: Option<usize>,
    /// Column, from 1, if known.
    pub column: Option<usize>,
    /// What is there, what is expected instead.
    pub message: String,
}

impl fmt::Display for OverlayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(f, " (line {line}, column {column})"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for OverlayError {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "`schema: 1` and a list `models:`")]
struct File {
    schema: u32,
    as_of: Option<Day>,
    #[serde(default)]
    models: Vec<Row>,
    // A whole catalog is an overlay, too; these lines of it are for people.
    #[serde(rename = "currency")]
    _currency: Option<String>,
    #[serde(rename = "packages")]
    _packages: Option<BTreeMap<String, String>>,
    #[serde(rename = "counts")]
    _counts: Option<BTreeMap<String, BTreeMap<String, u64>>>,
}

impl Overlay {
    /// Reads the text of a `catalog.yaml`.
    pub fn parse(text: &str) -> Result<Self, OverlayError> {
        if text.len() > MAX_OVERLAY_BYTES {
            let message = format!("a catalog has at most {MAX_OVERLAY_BYTES} bytes, this one has {}", text.len());
            return Err(OverlayError { line: None, column: None, message });
        }
        if let Some(line) = too_deep(text) {
            let message = format!("more than {MAX_OVERLAY_NESTING} brackets are open here; a row needs three");
            return Err(OverlayError { line: Some(line), column: Some(1), message });
        }
        let file: File = serde_yaml::from_str(text).map_err(|error| explain(&error, text))?;
        if file.schema != 1 {
            return Err(plain(format!("`schema` is {}; this version reads schema 1", file.schema)));
        }
        let mut seen = BTreeSet::new();
        for (at, row) in file.models.iter().enumerate() {
            if !seen.insert(key(row)) {
                return Err(plain(format!("{} is there twice; put its facts into one row", name(row))));
            }
            if row.provider.is_empty() || row.id.is_empty() {
                return Err(plain(format!("row {} has an empty provider or id", at + 1)));
            }
        }
        Ok(Self { as_of: file.as_of, rows: file.models })
    }
}

impl Catalog {
    /// This catalog with the overlay's facts in front of its own. A new row must say what cannot be told from its id.
    pub fn with_overlay(mut self, overlay: &Overlay) -> Result<Self, OverlayError> {
        if let Some(Day { year, month, day }) = overlay.as_of {
            self.as_of = Date::constant(year, month, day);
        }
        let mut rows = overlay.rows.iter().map(|row| self.merge(row)).collect::<Result<Vec<Entry>, _>>()?;
        let new: BTreeSet<Key<'_>> = overlay.rows.iter().map(key).collect();
        rows.extend(self.over.iter().filter(|old| !new.contains(&key_of(old))).cloned());
        rows.sort_by(|a, b| (&a.provider, &a.id, &a.revision).cmp(&(&b.provider, &b.id, &b.revision)));
        self.over = rows;
        let mut by_id: Vec<u32> = (0..).take(self.over.len()).collect();
        by_id.sort_by_key(|at| &self.over[*at as usize].id);
        self.over_by_id = by_id;
        Ok(self)
    }

    fn merge(&self, row: &Row) -> Result<Entry, OverlayError> {
        let key = key(row);
        let find =
            |rows: &[Entry]| rows.binary_search_by(|entry| key_of(entry).cmp(&key)).ok().map(|at| rows[at].clone());
        let mut entry = match find(&self.over).or_else(|| find(self.base)) {
            Some(known) => known,
            None => self.blank(row)?,
        };
        lay_over(&mut entry, row)?;
        Ok(entry)
    }

    /// A row for an id the catalog lacks: what its spelling says, and nothing else.
    fn blank(&self, row: &Row) -> Result<Entry, OverlayError> {
        let shape = match (&row.revision, self.provider_kind(&row.provider)) {
            (Some(revision), _) => {
                id_rules::shape(ProviderKind::SelfHosted, &format!("{}@{revision}", row.id), &|_| false)
            }
            (None, Some(_)) => self.shape(&row.provider, &row.id),
            (None, None) => None,
        };
        if row.revision.is_some() && shape.is_some_and(|shape| shape.moving_word) {
            return Err(plain(format!(
                "{}: the revision is a tag that moves; write the digest or commit it stands for",
                name(row)
            )));
        }
        let stated = row.kind.map(|kind| match kind {
            KindWord::Snapshot => (Kind::Snapshot, Pin::UndatedDocumented),
            KindWord::Alias => (Kind::Alias, Pin::Moving),
        });
        // Where spelling and row agree on the kind, the spelling knows more about the pin.
        let told =
            shape.map(|shape| (shape.kind, shape.pin)).filter(|told| stated.is_none_or(|stated| stated.0 == told.0));
        let Some((kind, pin)) = told.or(stated) else {
            let message = format!(
                "{}: `kind` is missing, and the id does not tell; write `kind: snapshot` or `kind: alias`",
                name(row)
            );
            return Err(plain(message));
        };
        Ok(Entry { provider: row.provider.clone().into(), id: row.id.clone().into(), kind, pin, ..Entry::EMPTY })
    }
}

impl Entry {
    /// Nothing is known.
    const EMPTY: Self = Self {
        provider: Text::Borrowed(""),
        id: Text::Borrowed(""),
        revision: None,
        kind: Kind::Snapshot,
        pin: Pin::UndatedUnconfirmed,
        status: Status::Active,
        points_to: None,
        family: None,
        tier: None,
        mode: None,
        endpoints: std::borrow::Cow::Borrowed(&[]),
        context_window: None,
        max_input: None,
        max_output: None,
        capabilities: Capabilities::NONE,
        price: None,
        price_changes: std::borrow::Cow::Borrowed(&[]),
        price_peaks: std::borrow::Cow::Borrowed(&[]),
        released: None,
        deprecated_on: None,
        retires_on: None,
        earliest_retirement: None,
        rerouted_on: None,
        replacement: None,
        rerouted_to: None,
        vector_size: None,
        azure_model: None,
        azure_version: None,
        azure_versions: std::borrow::Cow::Borrowed(&[]),
        note: None,
        regions: None,
        retention: None,
        tokens_margin: None,
        unverified: false,
    };
}

/// Writes every field the row states into the entry.
fn lay_over(entry: &mut Entry, row: &Row) -> Result<(), OverlayError> {
    let text = |from: &Option<String>, into: &mut Option<Text>| {
        if let Some(text) = from {
            *into = Some(text.clone().into());
        }
    };
    for (from, into) in [
        (&row.revision, &mut entry.revision),
        (&row.points_to, &mut entry.points_to),
        (&row.family, &mut entry.family),
        (&row.replacement, &mut entry.replacement),
        (&row.rerouted_to, &mut entry.rerouted_to),
        (&row.azure_model, &mut entry.azure_model),
        (&row.azure_version, &mut entry.azure_version),
        (&row.note, &mut entry.note),
        (&row.retention, &mut entry.retention),
    ] {
        text(from, into);
    }
    for (from, into) in [
        (row.released, &mut entry.released),
        (row.deprecated_on, &mut entry.deprecated_on),
        (row.retires_on, &mut entry.retires_on),
        (row.earliest_retirement, &mut entry.earliest_retirement),
        (row.rerouted_on, &mut entry.rerouted_on),
    ] {
        *into = from.map(|Day { year, month, day }| Date::constant(year, month, day)).or(*into);
    }
    for (from, into) in [
        (row.context_window, &mut entry.context_window),
        (row.max_input, &mut entry.max_input),
        (row.max_output, &mut entry.max_output),
        (row.vector_size, &mut entry.vector_size),
    ] {
        *into = from.map(|count| count.0).or(*into);
    }
    if let Some(tier) = row.tier {
        entry.tier = Some(tier.word().into());
    }
    if let Some(mode) = row.mode {
        entry.mode = Some(mode.word().into());
    }
    for (from, into) in [(&row.endpoints, &mut entry.endpoints), (&row.azure_versions, &mut entry.azure_versions)] {
        if let Some(items) = from {
            *into = items.iter().map(|item| item.clone().into()).collect();
        }
    }
    if let Some(regions) = &row.regions {
        entry.regions = Some(regions.iter().map(|region| region.clone().into()).collect());
    }
    entry.tokens_margin = row.tokens_margin.map(|share| share.0).or(entry.tokens_margin);
    entry.unverified = row.unverified.unwrap_or(entry.unverified);
    if let Some(capabilities) = &row.capabilities {
        lay_over_capabilities(&mut entry.capabilities, capabilities);
    }
    if let Some((taken, refused)) = row.efforts() {
        let known = entry.capabilities.efforts;
        entry.capabilities.efforts =
            Efforts { taken: known.taken & !refused | taken, refused: known.refused & !taken | refused };
    }
    lay_over_standing(entry, row)?;
    lay_over_prices(entry, row)
}

/// `kind`, `pin` and `status`, which must fit together.
fn lay_over_standing(entry: &mut Entry, row: &Row) -> Result<(), OverlayError> {
    if let Some(kind) = row.kind {
        entry.kind = if kind == KindWord::Snapshot { Kind::Snapshot } else { Kind::Alias };
        let fits = (entry.kind == Kind::Alias) == (entry.pin == Pin::Moving);
        if !fits {
            // The operator vouches for one fixed model, or says that the name moves.
            entry.pin = if entry.kind == Kind::Alias { Pin::Moving } else { Pin::UndatedDocumented };
        }
    }
    if let Some(pin) = row.pin {
        entry.pin = match pin {
            PinWord::Dated => Pin::Dated,
            PinWord::Numbered => Pin::Numbered,
            PinWord::UndatedDocumented => Pin::UndatedDocumented,
            PinWord::UndatedUnconfirmed => Pin::UndatedUnconfirmed,
            PinWord::Moving => Pin::Moving,
        };
    }
    if let Some(status) = row.status {
        entry.status = match status {
            StatusWord::Active => Status::Active,
            StatusWord::Deprecated => Status::Deprecated,
            StatusWord::Rerouted => Status::Rerouted,
            StatusWord::Retired => Status::Retired,
            StatusWord::NeverServed => Status::NeverServed,
        };
    }
    if (entry.kind == Kind::Alias) != (entry.pin == Pin::Moving) {
        let message = format!("{}: `pin: moving` and `kind: alias` belong together; state both or neither", name(row));
        return Err(plain(message));
    }
    Ok(())
}

fn lay_over_capabilities(into: &mut Capabilities, row: &CapabilityRow) {
    for (from, into) in [
        (row.vision, &mut into.vision),
        (row.pdf, &mut into.pdf),
        (row.audio_in, &mut into.audio_input),
        (row.video_in, &mut into.video_input),
        (row.tools, &mut into.tools),
        (row.parallel_tools, &mut into.parallel_tools),
        (row.json_schema, &mut into.json_schema),
        (row.streaming, &mut into.streaming),
        (row.sampling_params, &mut into.sampling_params),
        (row.forced_tool_choice, &mut into.forced_tool_choice),
        (row.reasoning, &mut into.reasoning),
        (row.batch, &mut into.batch),
        (row.prompt_caching, &mut into.prompt_caching),
        (row.adaptive_thinking, &mut into.adaptive_thinking),
        (row.thinking_always_on, &mut into.thinking_always_on),
        (row.assistant_prefill, &mut into.assistant_prefill),
        (row.mid_conversation_system, &mut into.mid_conversation_system),
    ] {
        *into = from.or(*into);
    }
}

fn lay_over_prices(entry: &mut Entry, row: &Row) -> Result<(), OverlayError> {
    if let Some(price) = &row.price {
        entry.price = Some(merged_price(entry.price.take(), price, row)?);
    }
    let dollars = |price: Option<Dollars>| price.map(|price| price.0);
    if let Some(changes) = &row.price_changes {
        let change = |it: &super::row::PriceChangeRow| PriceChange {
            from: Date::constant(it.from.year, it.from.month, it.from.day),
            input: it.input.0,
            output: it.output.0,
            cached_input: dollars(it.cached_input),
        };
        let mut changes: Vec<PriceChange> = changes.iter().map(change).collect();
        changes.sort_by_key(|change| change.from);
        entry.price_changes = changes.into();
    }
    if let Some(peaks) = &row.price_peak_utc {
        let peak = |it: &super::row::PricePeakRow| PricePeak {
            from: it.utc.from,
            to: it.utc.to,
            input: it.input.0,
            output: it.output.0,
            cached_input: dollars(it.cached_input),
        };
        entry.price_peaks = peaks.iter().map(peak).collect();
    }
    Ok(())
}

fn merged_price(old: Option<Price>, new: &PriceRow, row: &Row) -> Result<Price, OverlayError> {
    let dollars = |price: Option<Dollars>| price.map(|price| price.0);
    let (input, output) = (dollars(new.input), dollars(new.output));
    let Some(input) = input.or(old.as_ref().map(|old| old.input)) else {
        return Err(plain(format!(
            "{}: `price.input` is missing; write dollars per million tokens, such as 0.15",
            name(row)
        )));
    };
    let keep =
        |new: Option<Dollars>, old_field: fn(&Price) -> Option<f64>| dollars(new).or(old.as_ref().and_then(old_field));
    let long_context = match &new.long_context {
        None => old.as_ref().map(|old| old.long_context.clone()).unwrap_or_default(),
        Some(bands) => {
            let mut bands: Vec<PriceBand> = bands
                .iter()
                .map(|band| PriceBand {
                    above: band.above.0,
                    input: band.input.0,
                    output: band.output.0,
                    cached_input: dollars(band.cached_input),
                    cache_write: dollars(band.cache_write),
                })
                .collect();
            bands.sort_by_key(|band| band.above);
            bands.into()
        }
    };
    Ok(Price {
        input,
        output: output.or(old.as_ref().map(|old| old.output)).unwrap_or(0.0),
        cached_input: keep(new.cached_input, |old| old.cached_input),
        cache_write: keep(new.cache_write, |old| old.cache_write),
        cache_write_1h: keep(new.cache_write_1h, |old| old.cache_write_1h),
        batch_input: keep(new.batch_input, |old| old.batch_input),
        batch_output: keep(new.batch_output, |old| old.batch_output),
        priority_input: keep(new.priority_input, |old| old.priority_input),
        priority_output: keep(new.priority_output, |old| old.priority_output),
        long_context,
    })
}

/// The line on which too many brackets are open. Brackets in strings and comments count too: nobody has that many.
fn too_deep(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, line) in text.lines().enumerate() {
        for byte in line.bytes() {
            match byte {
                b'[' | b'{' => open += 1,
                b']' | b'}' => open = open.saturating_sub(1),
                _ => {}
            }
            if open > MAX_OVERLAY_NESTING {
                return Some(at + 1);
            }
        }
    }
    None
}

/// Provider, id, revision.
type Key<'a> = (&'a str, &'a str, Option<&'a str>);

fn key(row: &Row) -> Key<'_> {
    (&row.provider, &row.id, row.revision.as_deref())
}

fn key_of(entry: &Entry) -> Key<'_> {
    (&entry.provider, &entry.id, entry.revision.as_deref())
}

fn name(row: &Row) -> String {
    let revision = row.revision.as_ref().map(|revision| format!("@{revision}")).unwrap_or_default();
    format!("{}/{}{revision}", row.provider, row.id)
}

const fn plain(message: String) -> OverlayError {
    OverlayError { line: None, column: None, message }
}

/// The reader's error in the words of the file: the row by its name instead of its number, and the nearest field.
fn explain(error: &serde_yaml::Error, text: &str) -> OverlayError {
    let place = error.location();
    let said = error.to_string();
    let said = match (said.rfind(" at line "), &place) {
        (Some(at), Some(_)) => &said[..at],
        _ => &said,
    };
    let mut message = named_row(said, text).unwrap_or_else(|| said.to_owned());
    if let Some(field) = said.split("unknown field `").nth(1).and_then(|rest| rest.split('`').next()) {
        let known = said.split("expected ").nth(1).unwrap_or("").split('`').skip(1).step_by(2);
        if let Some(near) = names::nearest(field, known).first() {
            message = format!("{}; did you mean `{near}`?", message.split(", expected").next().unwrap_or(&message));
        }
    }
    OverlayError { line: place.as_ref().map(|place| place.line()), column: place.map(|place| place.column()), message }
}

/// `models[3].price: …` as `vllm/llama, price: …`.
fn named_row(said: &str, text: &str) -> Option<String> {
    let (at, rest) = said.strip_prefix("models[")?.split_once(']')?;
    let file: serde_yaml::Value = serde_yaml::from_str(text).ok()?;
    let row = file.get("models")?.get(at.parse::<usize>().ok()?)?;
    let word = |key| row.get(key).and_then(serde_yaml::Value::as_str);
    let name = match (word("provider"), word("id")) {
        (Some(provider), Some(id)) => format!("{provider}/{id}"),
        _ => format!("row {}", at.parse::<usize>().ok()? + 1),
    };
    Some(match rest.strip_prefix('.') {
        Some(field) => format!("{name}, {field}"),
        None => format!("{name}{rest}"),
    })
}
