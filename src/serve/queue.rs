//! The ticket that a request leaves when no model answered it and its policy has a person for that.
//!
//! In: a request and what is known about it, a queue's name. Out: a ticket that is kept, or why there is none. Must not know: how
//! the caller is told.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::delivery::{Deliverer, Undelivered};
use super::settle::{Asked, Settlement};
use super::sidecar::Rejected;
use crate::config::Config;
use crate::failure::Failure;
use crate::policy::checked::{Checked, Degrade, Outcome};
use crate::spool::{self, Bad, Refused, Spool, Ticket, TicketId};
use crate::telemetry::{Facts, Telemetry};
use crate::units::Millis;
use crate::upstream::{Pools, Upstream};

/// How long a caller waits for the disk. What is not begun by then is withdrawn, and the next step answers.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often those that wait on this disk, and could be elsewhere, are tried again.
pub const AGAIN_EVERY: Duration = Duration::from_secs(10);
/// Tickets tried again at once; those behind them wait for the next time.
pub const AGAIN: usize = 256;

/// Where tickets go.
#[derive(Default)]
pub struct Queues {
    /// `None` when the policy has no queue.
    spool: Option<Arc<Spool>>,
    /// Queues whose tickets go somewhere else, and only wait on this disk when they cannot.
    elsewhere: HashMap<String, Arc<Elsewhere>>,
    /// The last ticket was not kept; that is said once, not for every request.
    refusing: AtomicBool,
}

struct Elsewhere {
    deliverer: Deliverer,
    /// The last ticket was not delivered; likewise said once.
    failing: AtomicBool,
}

impl Queues {
    /// What a policy's queues need besides the disk; what was there `before` under the same settings stays. Nothing is opened.
    pub fn prepare(config: &Config, checked: &Checked, before: Option<&Self>, pools: &Pools) -> Result<Self, Rejected> {
        let mut elsewhere = HashMap::new();
        for (name, delivery) in &config.queues {
            if !checked.queues.iter().any(|queue| *queue.name == **name) {
                tracing::warn!("queues.{name}: the policy has no queue of this name, so nothing is delivered there");
                continue;
            }
            let known = before.and_then(|before| before.elsewhere.get(name));
            let same = match known.filter(|known| known.deliverer.settings == *delivery) {
                Some(same) => Arc::clone(same),
                None => {
                    let deliverer = Deliverer::new(delivery, pools);
                    let deliverer = deliverer.map_err(|error| Rejected(format!("queues.{name}: {error}")))?;
                    Arc::new(Elsewhere { deliverer, failing: AtomicBool::new(false) })
                }
            };
            elsewhere.insert(name.clone(), same);
        }
        Ok(Self { elsewhere, ..Self::default() })
    }

    /// Opens the disk for a policy that needs it; what is open already under the same settings stays open.
    pub fn open(
        &mut self,
        config: &Config,
        checked: &Checked,
        before: Option<&Self>,
        telemetry: &Telemetry,
    ) -> Result<(), Rejected> {
        if !has_queue(checked) {
            return Ok(());
        }
        let open = before.and_then(|before| before.spool.as_ref()).filter(|spool| *spool.settings() == config.spool);
        self.spool = Some(match open {
            Some(spool) => Arc::clone(spool),
            None => {
                let waiting = telemetry.metrics.tickets_waiting.clone();
                let count = move |tickets: u64| waiting.set(i64::try_from(tickets).unwrap_or(i64::MAX));
                let now = milliseconds(jiff::Timestamp::now());
                Arc::new(Spool::start(&config.spool, now, count).map_err(|error| cannot(config, &error))?)
            }
        });
        Ok(())
    }

    /// Hosts to look up now and then.
    pub fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.elsewhere.values().filter_map(|elsewhere| elsewhere.deliverer.upstream())
    }

    /// Delivers a ticket or keeps it. When this returns one, somebody else took it, or it is on the disk for good.
    pub async fn keep(
        &self,
        settlement: &Settlement<'_>,
        asked: &Asked<'_>,
        (queue, within): (&str, Option<Millis>),
        last: Option<Failure>,
    ) -> Result<TicketId, Refused> {
        let id = TicketId::new(milliseconds(settlement.opened_at()), fastrand::u64(..));
        let ticket = ticket(settlement, asked, (queue, within), last, id.clone());
        let count = |result| settlement.telemetry().metrics.tickets.with_label_values(&[queue, result]).inc();
        if let Some(elsewhere) = self.elsewhere.get(queue)
            && elsewhere.deliver(&ticket, &asked.told.body, settlement.telemetry()).await.is_ok()
        {
            count("delivered");
            return Ok(id);
        }
        let kept = self.hand_over(ticket, asked).await;
        count(kept.as_ref().err().map_or("kept", Refused::word));
        match &kept {
            Ok(()) => self.refusing.store(false, Ordering::Relaxed),
            Err(refused) if !self.refusing.swap(true, Ordering::Relaxed) => {
                tracing::error!(queue, "a request got no ticket, its next step answers it: {refused}");
            }
            Err(_) => {}
        }
        kept.map(|()| id)
    }

    /// Delivers what waits on this disk only because it could not be delivered before, the oldest first, and counts what is left.
    pub async fn deliver_again(&self, telemetry: &Telemetry) {
        let Some(spool) = &self.spool else { return };
        let directory = spool.settings().directory.clone();
        let mut down = HashSet::new();
        for id in self.could_be_elsewhere(&directory).await {
            let (place, wanted) = (directory.clone(), id.clone());
            let taken = tokio::task::spawn_blocking(move || spool::take(&place, &wanted)).await;
            // Somebody was faster, or it is damaged, which `wayside queue list` shows.
            let Ok(Ok((ticket, body))) = taken else { continue };
            let Some(elsewhere) = self.elsewhere.get(&ticket.queue).filter(|_| !down.contains(&ticket.queue)) else {
                continue;
            };
            if elsewhere.deliver(&ticket, &body.into(), telemetry).await.is_err() {
                down.insert(ticket.queue);
                continue;
            }
            telemetry.metrics.tickets.with_label_values(&[&ticket.queue, "delivered_later"]).inc();
            let (place, done) = (directory.clone(), id.clone());
            let removed = tokio::task::spawn_blocking(move || spool::remove(&place, &done)).await;
            if let Ok(Err(bad @ (Bad::Damaged(_) | Bad::Unreadable(_)))) = removed {
                tracing::warn!(ticket = id.as_str(), "delivered, and cannot be deleted here: {bad}");
                return;
            }
        }
        let left = tokio::task::spawn_blocking(move || spool::names(&directory).map(|names| names.len())).await;
        if let Ok(Ok(left)) = left {
            telemetry.metrics.tickets_waiting.set(i64::try_from(left).unwrap_or(i64::MAX));
        }
    }

    /// Those of the queues that go elsewhere, as many as are tried at once.
    async fn could_be_elsewhere(&self, directory: &Path) -> Vec<TicketId> {
        if self.elsewhere.is_empty() {
            return Vec::new();
        }
        let queues: HashSet<String> = self.elsewhere.keys().cloned().collect();
        let directory = directory.to_owned();
        let found = tokio::task::spawn_blocking(move || {
            let names = spool::names(&directory).unwrap_or_default().into_iter();
            let fits = |id: &TicketId| spool::look(&directory, id).is_ok_and(|ticket| queues.contains(&ticket.queue));
            names.filter(fits).take(AGAIN).collect()
        });
        found.await.unwrap_or_default()
    }

    async fn hand_over(&self, ticket: Ticket, asked: &Asked<'_>) -> Result<(), Refused> {
        let ended = || Refused::Failed("the thread that writes tickets has ended".to_owned());
        let spool = self.spool.as_ref().ok_or_else(ended)?;
        let (told, verdict) = oneshot::channel();
        let pending = spool.put(ticket, asked.told.body.clone(), move |kept| {
            // Whoever does not wait any more got something else.
            let _ = told.send(kept);
        })?;
        match timeout(PATIENCE, verdict).await {
            Ok(verdict) => verdict.unwrap_or_else(|_| Err(ended())),
            Err(_) => {
                pending.withdraw();
                Err(Refused::Busy)
            }
        }
    }
}

impl Elsewhere {
    async fn deliver(&self, ticket: &Ticket, body: &Bytes, telemetry: &Telemetry) -> Result<(), Undelivered> {
        let delivered = self.deliverer.deliver(ticket, body).await;
        let queue = &*ticket.queue;
        let result = delivered.as_ref().err().map_or("delivered", Undelivered::word);
        telemetry.metrics.deliveries.with_label_values(&[queue, result]).inc();
        match &delivered {
            Ok(()) if self.failing.swap(false, Ordering::Relaxed) => {
                tracing::info!(queue, "tickets are delivered again");
            }
            // Says nothing about those that are under way.
            Ok(()) | Err(Undelivered::Busy) => {}
            Err(why) if !self.failing.swap(true, Ordering::Relaxed) => {
                tracing::warn!(queue, "a ticket was not delivered and goes to this disk: {why}");
            }
            Err(_) => {}
        }
        delivered
    }
}

fn has_queue(checked: &Checked) -> bool {
    checked.rules.iter().any(|rule| match &rule.outcome {
        Outcome::Chain(chain) => chain.degrade.iter().any(|step| matches!(step, Degrade::Queue { .. })),
        Outcome::Reject { .. } => false,
    })
}

fn cannot(config: &Config, error: &std::io::Error) -> Rejected {
    let shown = config.spool.directory.display();
    Rejected(format!(
        "spool.directory: tickets cannot be kept in `{shown}`: {error}; write a directory that survives a restart, like \
         `/var/lib/wayside/spool`"
    ))
}

fn milliseconds(at: jiff::Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or_default()
}

fn ticket(
    settlement: &Settlement<'_>,
    asked: &Asked<'_>,
    (queue, within): (&str, Option<Millis>),
    last: Option<Failure>,
    id: TicketId,
) -> Ticket {
    let received = settlement.opened_at();
    let due = within.and_then(|within| received.checked_add(within.duration()).ok());
    let checked = settlement.now.policy.checked();
    let owned = |word: Option<&str>| word.map(str::to_owned);
    settlement.words(asked, |facts: &Facts<'_>| Ticket {
        schema: Ticket::SCHEMA,
        ticket: id,
        queue: queue.to_owned(),
        received: format!("{received:.3}"),
        due: due.map(|due| format!("{due:.3}")),
        request_id: settlement.request_id().to_owned(),
        endpoint: facts.endpoint.to_owned(),
        policy: checked.name.to_string(),
        policy_hash: settlement.now.policy.hash().to_string(),
        rule: settlement.rule().unwrap_or_default().to_owned(),
        failure: last.map(|last| last.word().to_owned()),
        tenant: owned(facts.tenant),
        user: owned(facts.user),
        plan: owned(facts.plan),
        feature: owned(facts.feature),
        residency: owned(facts.residency),
        attributes: facts.attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body_bytes: 0,
        body_sha256: String::new(),
    })
}
