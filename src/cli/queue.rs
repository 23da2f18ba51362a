//! `wayside queue`: requests that wait for a person.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::screen::Format;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{BROKEN, CLEAN, FINDINGS, screen};
use crate::config::SpoolSettings;
use crate::config::check::project;
use crate::spool::{self, Bad, Ticket, TicketId};

/// The file that is read when neither `--config` nor `--dir` is given, if it is there.
const DEFAULT_CONFIG: &str = "wayside.yaml";

const EXAMPLES: &str = "\
Examples:
  wayside queue list                                        what waits, the oldest first
  wayside queue list --queue refunds_desk --format json     for a program
  wayside queue show tkt_019adf3c2b7f4b1c0d5e6f708192       everything about one, the request included
  wayside queue done tkt_019adf3c2b7f4b1c0d5e6f708192       it was answered: delete it

Exit codes: 0 nothing wrong; 1 a ticket is damaged; 2 could not do the job, or no such ticket waits.";

/// Work the requests that wait for a person: what `degrade queue` wrote.
///
/// Tickets of a queue that `queues:` of the configuration sends to a webhook or a Redis stream wait here only while it takes none;
/// `wayside serve` sends them again every ten seconds.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
    /// Where the tickets are [default: what `spool.directory` of the configuration says]
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The configuration; `wayside.yaml` in this directory, if there is one
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "dir")]
    config: Option<PathBuf>,
    /// How to print
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What waits, the oldest first; exit code 1 if a ticket is damaged
    List {
        /// Only tickets of this queue, and damaged ones
        #[arg(long, value_name = "NAME")]
        queue: Option<String>,
    },
    /// Everything about one ticket, the request included
    Show {
        /// Its name, from `list` or from the caller
        ticket: TicketId,
    },
    /// Delete tickets that were answered
    Done {
        /// Their names
        #[arg(required = true)]
        tickets: Vec<TicketId>,
    },
}

/// The tickets of one directory, at one moment.
struct Desk {
    directory: PathBuf,
    now: Timestamp,
    format: Format,
}

/// Runs one of its verbs.
pub fn run(args: &Args) -> ExitCode {
    let directory = match directory(args) {
        Ok(directory) => directory,
        Err(reason) => return screen::broken(&reason),
    };
    let desk = Desk { directory, now: Timestamp::now(), format: args.format };
    match &args.verb {
        Verb::List { queue } => match spool::names(&desk.directory) {
            Ok(names) => screen::stream(|out| desk.list(&names, queue.as_deref(), out)),
            Err(error) => screen::broken(&desk.unreadable(&error)),
        },
        Verb::Show { ticket } => match spool::take(&desk.directory, ticket) {
            Ok((about, body)) => screen::show(&desk.show(&about, &body), CLEAN),
            Err(bad) => desk.cannot(ticket, &bad),
        },
        Verb::Done { tickets } => desk.done(tickets),
    }
}

fn directory(args: &Args) -> Result<PathBuf, String> {
    if let Some(directory) = &args.dir {
        return Ok(directory.clone());
    }
    let default = Path::new(DEFAULT_CONFIG);
    let Some(path) = args.config.as_deref().or_else(|| default.exists().then_some(default)) else {
        return Ok(SpoolSettings::default().directory);
    };
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("`{shown}` cannot be read: {error}"))?;
    let project = project(&text).map_err(|errors| format!("`{shown}` is wrong:\n{errors}"))?;
    Ok(path.parent().unwrap_or(Path::new("")).join(project.spool.directory))
}

impl Desk {
    fn unreadable(&self, error: &io::Error) -> String {
        let shown = self.directory.display();
        format!(
            "`{shown}` cannot be read: {error}; `wayside serve` makes it for a policy with `degrade queue`, and `--dir` names another"
        )
    }

    fn cannot(&self, id: &TicketId, bad: &Bad) -> ExitCode {
        let shown = self.directory.display();
        match bad {
            Bad::Missing => {
                screen::broken(&format!("no ticket {id} waits in `{shown}`; `wayside queue list` shows those that do"))
            }
            Bad::Unreadable(why) => screen::broken(&format!("ticket {id} cannot be read: {why}")),
            Bad::Damaged(why) => {
                screen::aside(&format!("ticket {id} is damaged: {why}; what is left of it is `{shown}/{id}.ticket`"));
                ExitCode::from(FINDINGS)
            }
        }
    }

    /// One ticket after the other, each printed before the next is read.
    fn list(&self, names: &[TicketId], queue: Option<&str>, out: &mut dyn Write) -> io::Result<u8> {
        let mut code = CLEAN;
        let mut printed = 0_usize;
        if self.format == Format::Json {
            let head = head("queue list");
            write!(out, "{},\"tickets\":[", head.trim_end_matches('}'))?;
        }
        for id in names {
            let looked = spool::look(&self.directory, id);
            match &looked {
                // Somebody was faster.
                Err(Bad::Missing) => continue,
                Err(_) => code = FINDINGS,
                Ok(ticket) if queue.is_some_and(|queue| queue != ticket.queue) => continue,
                Ok(_) => {}
            }
            match self.format {
                Format::Human if printed == 0 => writeln!(out, "{}{}", HEADING, self.row(id, &looked))?,
                Format::Human => writeln!(out, "{}", self.row(id, &looked))?,
                Format::Json => {
                    let comma = if printed == 0 { "\n" } else { ",\n" };
                    write!(out, "{comma}{}", self.entry(id, &looked))?;
                }
            }
            printed += 1;
        }
        match self.format {
            Format::Human if printed == 0 => writeln!(out, "no ticket waits")?,
            Format::Human => {}
            Format::Json => writeln!(out, "\n]}}")?,
        }
        Ok(code)
    }

    fn row(&self, id: &TicketId, looked: &Result<Ticket, Bad>) -> String {
        match looked {
            Err(bad) => format!("{id}  damaged: {}", visible(&bad.to_string())),
            Ok(ticket) => {
                let due = match &ticket.due {
                    None => "-".to_owned(),
                    Some(due) if self.late(ticket) => format!("{due} late"),
                    Some(due) => due.clone(),
                };
                let who: Vec<&str> =
                    [&ticket.tenant, &ticket.feature].into_iter().flatten().map(String::as_str).collect();
                let row = format!("{id}  {:<20}  {:<24}  {due:<29}  {}", ticket.queue, ticket.received, who.join(", "));
                visible(row.trim_end())
            }
        }
    }

    fn entry(&self, id: &TicketId, looked: &Result<Ticket, Bad>) -> Value {
        match looked {
            Err(bad) => json!({"ticket": id, "damaged": bad.to_string()}),
            Ok(ticket) => self.told(ticket),
        }
    }

    fn told(&self, ticket: &Ticket) -> Value {
        let mut told = serde_json::to_value(ticket).unwrap_or_default();
        told["late"] = self.late(ticket).into();
        told
    }

    fn late(&self, ticket: &Ticket) -> bool {
        let due = ticket.due.as_ref().and_then(|due| due.parse::<Timestamp>().ok());
        due.is_some_and(|due| due < self.now)
    }

    fn show(&self, ticket: &Ticket, body: &[u8]) -> String {
        let body = serde_json::from_slice::<Value>(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into());
        if self.format == Format::Json {
            let mut told = self.told(ticket);
            told["body"] = body;
            let mut page = json!({"schema": 1, "tool": "wayside", "version": VERSION, "command": "queue show"});
            page["ticket"] = told;
            return format!("{page:#}\n");
        }
        let late = if self.late(ticket) { " (late)" } else { "" };
        let mut rows = vec![
            ("ticket".to_owned(), ticket.ticket.to_string()),
            ("queue".to_owned(), ticket.queue.clone()),
            ("received".to_owned(), ticket.received.clone()),
            ("due".to_owned(), ticket.due.as_ref().map_or("no promise".to_owned(), |due| format!("{due}{late}"))),
            ("request".to_owned(), ticket.request_id.clone()),
            ("rule".to_owned(), format!("{} of {}", ticket.rule, ticket.policy)),
            ("failure".to_owned(), ticket.failure.clone().unwrap_or_else(|| "no model was available".to_owned())),
        ];
        let who = [
            ("tenant", &ticket.tenant),
            ("user", &ticket.user),
            ("plan", &ticket.plan),
            ("feature", &ticket.feature),
            ("residency", &ticket.residency),
        ];
        rows.extend(who.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))));
        rows.extend(ticket.attributes.clone());
        let rows: Vec<String> = rows.iter().map(|(name, value)| visible(&format!("{name:<10} {value}"))).collect();
        // The body's own line ends are inside its strings, escaped; those left are of the layout.
        let body: Vec<String> = format!("{body:#}").lines().map(visible).collect();
        format!("{}\n\n{}\n", rows.join("\n"), body.join("\n"))
    }

    fn done(&self, tickets: &[TicketId]) -> ExitCode {
        let mut code = CLEAN;
        let mut done = Vec::new();
        for id in tickets {
            match spool::remove(&self.directory, id) {
                Ok(()) => done.push(id),
                Err(bad) => {
                    self.cannot(id, &bad);
                    code = BROKEN;
                }
            }
        }
        let text = match self.format {
            Format::Human => done.iter().map(|id| format!("{id} is done\n")).collect(),
            Format::Json => {
                let page =
                    json!({"schema": 1, "tool": "wayside", "version": VERSION, "command": "queue done", "done": done});
                format!("{page:#}\n")
            }
        };
        screen::show(&text, code)
    }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
const HEADING: &str = "TICKET                            QUEUE                 RECEIVED                  DUE                            WHO\n";

fn head(command: &str) -> String {
    json!({"schema": 1, "tool": "wayside", "version": VERSION, "command": command}).to_string()
}

/// What callers wrote must not move the cursor of whoever reads it.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
