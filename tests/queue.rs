//! `wayside queue` as people and programs meet it, on tickets that the library wrote.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod place;

use std::collections::BTreeMap;
use std::io::Read;
use std::process::{Command, Stdio};

use place::{Place, contains};
use wayside::config::SpoolSettings;
use wayside::spool::{Shelf, Ticket, TicketId};

const NOW: u64 = 1_790_000_000_000;

fn ticket(n: u64, queue: &str) -> Ticket {
    Ticket {
        schema: Ticket::SCHEMA,
        ticket: TicketId::new(NOW + n, n),
        queue: queue.to_owned(),
        received: "2026-09-21T14:13:20.000Z".to_owned(),
        due: None,
        request_id: format!("req_{n}"),
        endpoint: "chat".to_owned(),
        policy: "support".to_owned(),
        policy_hash: "sha256:1".to_owned(),
        rule: "refunds".to_owned(),
        failure: Some("timeout".to_owned()),
        tenant: Some("acme".to_owned()),
        user: None,
        plan: None,
        feature: Some("refund_advice".to_owned()),
        residency: None,
        attributes: BTreeMap::new(),
        body_bytes: 0,
        body_sha256: String::new(),
    }
}

const BODY: &str = r#"{"model":"gpt-5.4","messages":[{"role":"user","content":"Where is my\nmoney?"}]}"#;

/// A workspace whose configuration names the spool, and tickets in it.
fn desk(tickets: &[Ticket]) -> Place {
    let place = Place::new();
    place.file("wayside.yaml", "spool: {directory: people/spool}\n");
    let settings = SpoolSettings { directory: place.path("people/spool"), ..SpoolSettings::default() };
    let mut shelf = Shelf::open(&settings, NOW).unwrap();
    for ticket in tickets {
        assert_eq!(shelf.keep(&[(ticket, BODY.as_bytes())]), [Ok(())]);
    }
    place
}

fn file(place: &Place, ticket: &Ticket) -> String {
    format!("people/spool/{}.ticket", ticket.ticket).replace(&place.dir().display().to_string(), "")
}

#[test]
fn what_waits_is_listed_oldest_first_and_late_ones_say_so() {
    let late = Ticket { due: Some("2026-09-21T18:13:20Z".to_owned()), ..ticket(2, "desk") };
    let early = Ticket { due: Some("2999-01-01T00:00:00Z".to_owned()), ..ticket(1, "refunds_desk") };
    let place = desk(&[late.clone(), early.clone()]);
    let ran = place.run(&["queue", "list"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", ran.out);
    assert!(lines[0].starts_with("TICKET "), "{}", ran.out);
    assert_eq!(
        lines[1],
        format!(
            "{}  refunds_desk          2026-09-21T14:13:20.000Z  2999-01-01T00:00:00Z           acme, refund_advice",
            early.ticket
        )
    );
    assert_eq!(
        lines[2],
        format!(
            "{}  desk                  2026-09-21T14:13:20.000Z  2026-09-21T18:13:20Z late      acme, refund_advice",
            late.ticket
        )
    );
    let ran = place.run(&["queue", "list", "--queue", "desk"]);
    assert!(ran.out.contains(late.ticket.as_str()) && !ran.out.contains(early.ticket.as_str()), "{}", ran.out);
}

#[test]
fn a_program_gets_one_document() {
    let place = desk(&[ticket(1, "desk"), ticket(2, "desk")]);
    let ran = place.run(&["queue", "list", "--format", "json"]);
    let page: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (&page["schema"], &page["tool"], &page["command"]),
        (&1.into(), &"wayside".into(), &"queue list".into())
    );
    assert_eq!((page["tickets"].as_array().unwrap().len(), &page["tickets"][1]["request_id"]), (2, &"req_2".into()));
    assert_eq!((&page["tickets"][0]["late"], &page["tickets"][0]["body_bytes"]), (&false.into(), &BODY.len().into()));
    let empty = desk(&[]).run(&["queue", "list", "--format", "json"]);
    let page: serde_json::Value = serde_json::from_str(&empty.out).unwrap();
    assert_eq!((empty.code, &page["tickets"]), (0, &serde_json::json!([])));
}

#[test]
fn a_ticket_is_shown_with_its_request() {
    let mut one = ticket(1, "desk");
    one.attributes.insert("channel".to_owned(), "phone".to_owned());
    let place = desk(std::slice::from_ref(&one));
    let ran = place.run(&["queue", "show", one.ticket.as_str()]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for line in [
        "rule       refunds of support",
        "failure    timeout",
        "tenant     acme",
        "channel    phone",
        "due        no promise",
    ] {
        contains(&ran.out, line);
    }
    contains(&ran.out, r#""content": "Where is my\nmoney?""#);
    let ran = place.run(&["queue", "show", one.ticket.as_str(), "--format", "json"]);
    let page: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(page["ticket"]["body"], serde_json::from_str::<serde_json::Value>(BODY).unwrap());
}

#[test]
fn done_takes_a_ticket_away_once() {
    let (one, two) = (ticket(1, "desk"), ticket(2, "desk"));
    let place = desk(&[one.clone(), two.clone()]);
    let ran = place.run(&["queue", "done", one.ticket.as_str()]);
    assert_eq!((ran.code, ran.out), (0, format!("{} is done\n", one.ticket)));
    let ran = place.run(&["queue", "done", one.ticket.as_str(), two.ticket.as_str()]);
    assert_eq!((ran.code, ran.out), (2, format!("{} is done\n", two.ticket)));
    contains(&ran.err, &format!("no ticket {} waits in `people/spool`; `wayside queue list` shows", one.ticket));
    assert_eq!(place.run(&["queue", "list"]).out, "no ticket waits\n");
}

#[test]
fn a_damaged_ticket_is_listed_as_such_and_hides_no_other() {
    let (bad, good) = (ticket(1, "desk"), ticket(2, "desk"));
    let place = desk(&[bad.clone(), good.clone()]);
    place.file(&file(&place, &bad), "{\"schema\":1}\n");
    place.file("people/spool/notes.txt", "not a ticket");
    let ran = place.run(&["queue", "list", "--queue", "desk"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    contains(&ran.out, &format!("{}  damaged: its first line is not a ticket: missing field `ticket`", bad.ticket));
    contains(&ran.out, good.ticket.as_str());
    let ran = place.run(&["queue", "list", "--format", "json"]);
    let page: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert!(page["tickets"][0]["damaged"].as_str().unwrap().starts_with("its first line"), "{}", ran.out);
    let ran = place.run(&["queue", "show", bad.ticket.as_str()]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    contains(&ran.err, "is damaged: its first line is not a ticket");
    assert!(place.path(&file(&place, &bad)).exists());
    assert_eq!(place.run(&["queue", "done", bad.ticket.as_str()]).code, 0);
}

#[test]
fn what_callers_wrote_cannot_move_the_cursor() {
    let sneaky = Ticket {
        user: Some("\u{1b}[2Jx\u{9b}2J\ny".to_owned()),
        tenant: Some("a\u{1b}[1A".to_owned()),
        ..ticket(1, "desk")
    };
    let place = desk(std::slice::from_ref(&sneaky));
    for ran in [place.run(&["queue", "list"]), place.run(&["queue", "show", sneaky.ticket.as_str()])] {
        assert!(!ran.out.chars().any(|c| c.is_control() && c != '\n'), "{:?}", ran.out);
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let place = Place::new();
    let ran = place.run(&["queue", "list"]);
    assert_eq!(ran.code, 2);
    contains(&ran.err, "`spool` cannot be read: No such file or directory");
    contains(&ran.err, "`--dir` names another");
    let ran = place.run(&["queue", "show", "../../etc/passwd"]);
    assert_eq!(ran.code, 2);
    contains(&ran.err, "is not a ticket; they look like `tkt_");
    place.file("wayside.yaml", "spool: {directry: x}\n");
    let ran = place.run(&["queue", "list"]);
    assert_eq!(ran.code, 2);
    contains(&ran.err, "unknown key `spool.directry`; did you mean `directory`?");
    assert_eq!(place.run(&["queue", "list", "--config", "nowhere.yaml"]).code, 2);
    assert_eq!(place.run(&["queue", "list", "--dir", "."]).out, "no ticket waits\n");
}

#[test]
fn a_long_list_goes_to_a_reader_that_leaves() {
    let place = desk(&(0..500).map(|n| ticket(n, "desk")).collect::<Vec<_>>());
    let mut child = Command::new(env!("CARGO_BIN_EXE_wayside"))
        .args(["queue", "list"])
        .current_dir(place.dir())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 6];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!((&first, child.wait().unwrap().code()), (b"TICKET", Some(0)));
}
