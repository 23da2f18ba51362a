//! What calls cost: before, as an estimate or a bound, and after, from the usage the provider reports.
//!
//! In: a row, tokens or usage, a moment. Out: [`Usd`], or `None` where the row states no price. Must not know: policies, budgets.

use jiff::civil::Date;

use super::entry::{Entry, Price, PriceBand};
use super::window::with_margin;
use crate::units::{Tokens, Usd};
use crate::usage::{Service, Usage};

/// When and how a call is made, as far as prices depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The day, UTC: announced prices begin on one.
    pub day: Date,
    /// The minute of the day, UTC: some providers are dearer at some hours.
    pub minute: u16,
    /// The provider takes the call as a batch.
    pub batch: bool,
}

/// Prices of one token for one request, after bands, days and hours are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rates {
    input: Usd,
    cache_read: Usd,
    cache_write: Usd,
    cache_write_hour: Usd,
    output: Usd,
}

impl Entry {
    /// What this usage cost.
    pub fn cost(&self, usage: &Usage, terms: Terms) -> Option<Usd> {
        let service = if terms.batch { Service::Batch } else { usage.service };
        let rates = self.rates(usage.input(), terms, service)?;
        let hour = usage.cache_write_hour.min(usage.cache_write);
        let written = rates.cache_write.times(usage.cache_write - hour) + rates.cache_write_hour.times(hour);
        let input = rates.input.times(usage.input_uncached) + rates.cache_read.times(usage.cache_read);
        Some(input + written + rates.output.times(usage.output))
    }

    /// What a request is expected to cost: the estimate as it is, nothing from the cache, an answer as long as it may be.
    pub fn expected_cost(&self, prompt: Tokens, output: Tokens, terms: Terms) -> Option<Usd> {
        let usage = Usage { input_uncached: prompt.0, output: output.0, ..Usage::default() };
        self.cost(&usage, terms)
    }

    /// The most that one answer to a request can cost on that day, whatever the hour: with the tokenizer's margin, at the dearest
    /// hour, not as a batch.
    pub fn worst_cost(&self, prompt: Tokens, output: Tokens, day: Date) -> Option<Usd> {
        let prompt = with_margin(self, prompt);
        let hours = std::iter::once(0).chain(self.price_peaks.iter().map(|peak| peak.from));
        hours.filter_map(|minute| self.expected_cost(prompt, output, Terms { day, minute, batch: false })).max()
    }

    /// What a million tokens of a short prompt and of an answer cost on that day, in dollars, outside dearer hours.
    pub fn price_on(&self, day: Date) -> Option<(f64, f64)> {
        let price = self.price.as_ref()?;
        let latest = self.price_changes.iter().rfind(|change| change.from <= day);
        Some(latest.map_or((price.input, price.output), |change| (change.input, change.output)))
    }

    fn rates(&self, prompt: u64, terms: Terms, service: Service) -> Option<Rates> {
        let price = self.price.as_ref()?;
        let mut now = Flat::of(price);
        for change in self.price_changes.iter().filter(|change| change.from <= terms.day) {
            now = Flat { input: change.input, output: change.output, cached: change.cached_input, ..now };
        }
        let hour = |from: u16, to: u16| (from..to).contains(&terms.minute);
        if let Some(peak) = self.price_peaks.iter().find(|peak| hour(peak.from, peak.to)) {
            now = Flat { input: peak.input, output: peak.output, cached: peak.cached_input, ..now };
        }
        match price.long_context.iter().rev().find(|band| prompt > band.above) {
            Some(band) => now = Flat::of_band(band),
            None => {
                let (input, output) = match service {
                    Service::Standard => (None, None),
                    Service::Flex | Service::Batch => (price.batch_input, price.batch_output),
                    Service::Priority => (price.priority_input, price.priority_output),
                };
                now = Flat { input: input.unwrap_or(now.input), output: output.unwrap_or(now.output), ..now };
            }
        }
        Some(now.rates())
    }
}

/// Prices in dollars per million tokens before what is unknown is filled in.
#[derive(Clone, Copy)]
struct Flat {
    input: f64,
    output: f64,
    cached: Option<f64>,
    write: Option<f64>,
    write_hour: Option<f64>,
}

impl Flat {
    const fn of(price: &Price) -> Self {
        Self {
            input: price.input,
            output: price.output,
            cached: price.cached_input,
            write: price.cache_write,
            write_hour: price.cache_write_1h,
        }
    }

    const fn of_band(band: &PriceBand) -> Self {
        Self {
            input: band.input,
            output: band.output,
            cached: band.cached_input,
            write: band.cache_write,
            write_hour: None,
        }
    }

    /// A cache price nobody states is the full price: a discount must not be guessed.
    fn rates(self) -> Rates {
        Rates {
            input: Usd::per_token(self.input),
            cache_read: Usd::per_token(self.cached.unwrap_or(self.input)),
            cache_write: Usd::per_token(self.write.unwrap_or(self.input)),
            cache_write_hour: Usd::per_token(self.write_hour.or(self.write).unwrap_or(self.input)),
            output: Usd::per_token(self.output),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::catalog::Catalog;

    fn terms() -> Terms {
        Terms { day: date(2026, 11, 23), minute: 720, batch: false }
    }

    fn entry(name: &str) -> Entry {
        let (provider, id) = name.split_once('/').unwrap();
        Catalog::embedded().get(provider, id).unwrap().clone()
    }

    #[test]
    fn worst_cost_of_a_plain_request_counts_the_margin_and_the_whole_answer() {
        let worst =
            entry("openai/gpt-5.4-2026-03-05").worst_cost(Tokens(2000), Tokens(1000), date(2026, 11, 23)).unwrap();
        assert_eq!(worst.to_string(), "0.0205");
    }

    #[test]
    fn a_band_applies_to_the_whole_request_once_the_prompt_is_over_it() {
        let model = entry("openai/gpt-5.4-2026-03-05");
        let band = model.price.as_ref().unwrap().long_context[0];
        let at = model.expected_cost(Tokens(band.above), Tokens(0), terms()).unwrap();
        let over = model.expected_cost(Tokens(band.above + 1), Tokens(0), terms()).unwrap();
        assert_eq!(at, Usd::per_token(2.5).times(band.above));
        assert_eq!(over, Usd::per_token(band.input).times(band.above + 1));
    }

    #[test]
    fn cached_prompt_counts_toward_the_band_and_costs_its_own_price() {
        let model = entry("openai/gpt-5.4-2026-03-05");
        let price = model.price.clone().unwrap();
        let usage = Usage { input_uncached: 100, cache_read: 900, output: 10, ..Usage::default() };
        let cost = model.cost(&usage, terms()).unwrap();
        let expected = Usd::per_token(2.5).times(100) + Usd::per_token(price.cached_input.unwrap()).times(900);
        assert_eq!(cost, expected + Usd::per_token(15.0).times(10));
        let long = Usage { cache_read: price.long_context[0].above, ..usage };
        assert!(
            model.cost(&long, terms()).unwrap() > Usd::per_token(price.cached_input.unwrap()).times(long.cache_read)
        );
    }

    #[test]
    fn what_is_kept_for_an_hour_costs_its_own_price() {
        let model = entry("anthropic/claude-sonnet-4-5-20250929");
        let price = model.price.clone().unwrap();
        let usage = Usage { cache_write: 100, cache_write_hour: 40, ..Usage::default() };
        let parts = Usd::per_token(price.cache_write.unwrap()).times(60)
            + Usd::per_token(price.cache_write_1h.unwrap()).times(40);
        assert_eq!(model.cost(&usage, terms()), Some(parts));
        assert!(price.cache_write_1h > price.cache_write);
    }

    #[test]
    fn how_an_answer_was_served_changes_its_price_where_the_catalog_says_so() {
        let model = entry("openai/gpt-4.1-2025-04-14");
        let price = model.price.clone().unwrap();
        let of = |service| model.cost(&Usage { output: 10, service, ..Usage::default() }, terms()).unwrap();
        assert_eq!(of(Service::Standard), Usd::per_token(price.output).times(10));
        assert_eq!(of(Service::Priority), Usd::per_token(price.priority_output.unwrap()).times(10));
        assert_eq!(of(Service::Flex), Usd::per_token(price.batch_output.unwrap()).times(10));
        let plain = entry("mistral/mistral-small-2603");
        assert_eq!(plain.price.as_ref().unwrap().priority_output, None);
        let priority = Usage { output: 10, service: Service::Priority, ..Usage::default() };
        assert_eq!(plain.cost(&priority, terms()), plain.cost(&Usage { output: 10, ..Usage::default() }, terms()));
    }

    #[test]
    fn an_announced_price_begins_on_its_day() {
        let model = entry("google/gemini-4-argon");
        let on = |day| model.expected_cost(Tokens(1_000_000), Tokens(0), Terms { day, ..terms() }).unwrap();
        assert_eq!(on(date(2026, 12, 1)), Usd::from_dollars(4.0));
        assert!(on(date(2026, 11, 30)) < on(date(2026, 12, 1)));
    }

    #[test]
    fn a_peak_hour_costs_more_and_the_worst_cost_knows_it() {
        let model = entry("deepseek/deepseek-v4-pro");
        let at = |minute| model.expected_cost(Tokens(1000), Tokens(1000), Terms { minute, ..terms() }).unwrap();
        assert!(at(60) > at(0) && at(239) == at(60) && at(240) == at(0));
        let flat = Entry { tokens_margin: Some(0.0), ..model.clone() };
        assert_eq!(flat.worst_cost(Tokens(1000), Tokens(1000), terms().day), Some(at(60)));
    }

    #[test]
    fn batch_prices_apply_to_batches_alone_and_are_never_invented() {
        let model = entry("openai/gpt-5.4-2026-03-05");
        let batch = Terms { batch: true, ..terms() };
        let halved = model.expected_cost(Tokens(1000), Tokens(1000), batch).unwrap();
        assert!(halved < model.expected_cost(Tokens(1000), Tokens(1000), terms()).unwrap());
        let mut unbatched = model;
        if let Some(price) = &mut unbatched.price {
            (price.batch_input, price.batch_output) = (None, None);
        }
        let plain = unbatched.expected_cost(Tokens(1000), Tokens(1000), terms());
        assert_eq!(unbatched.expected_cost(Tokens(1000), Tokens(1000), batch), plain);
    }

    #[test]
    fn a_row_without_a_price_has_no_cost() {
        let model = Entry { price: None, ..entry("openai/gpt-5.4-2026-03-05") };
        assert_eq!(model.expected_cost(Tokens(1), Tokens(1), terms()), None);
        assert_eq!(model.worst_cost(Tokens(1), Tokens(1), terms().day), None);
    }
}
