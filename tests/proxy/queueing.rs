//! Requests that no model answered and that wait for a person: the ticket, its file, what is full, what a crash leaves.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use wayside::spool::{self, TicketId};

use super::client::{Connection, chat, chat_stream, post, request};
use super::rig::{KEY, POLICY, Rig, Setup, write_config};

/// `otherwise` has a person and then a template; for `tags` a person is the last step.
pub fn policy() -> String {
    let person = "degrade queue desk within 4h\n  degrade template sorry";
    let policy = POLICY.replace("degrade template sorry", person);
    policy.replace("degrade error 503 \"no tags today\"", "degrade queue desk") + "queue desk { staffed always }\n"
}

const TAGS: (&str, &str) = ("x-wayside-feature", "tags");

async fn rig(config: &str) -> Rig {
    Rig::with(Setup { policy: &policy(), config, faults: "- {fault: 503}", ..Default::default() }).await
}

fn waiting(directory: &Path) -> Vec<TicketId> {
    spool::names(&directory.join("spool")).unwrap()
}

fn wayside(directory: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_wayside")).args(args).current_dir(directory).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn when_nothing_answers_the_caller_gets_a_ticket_that_a_person_can_work() {
    let rig = rig("").await;
    let body = chat("gpt-4o", "where is my money?");
    let headers = [("x-wayside-tenant", "acme"), ("authorization", "Bearer caller-key")];
    let answer = post(rig.address, &body, &headers).await;
    assert_eq!((answer.status, answer.header("x-wayside-degraded")), (202, "queue desk"), "{}", answer.text());
    let ticket = answer.header("x-wayside-ticket").to_owned();
    let text = format!("No model could answer this request, so a person will, within 4h. Ticket: {ticket}");
    let json = answer.json();
    assert_eq!((&json["object"], &json["model"]), (&"chat.completion".into(), &"gpt-4o".into()));
    assert_eq!(
        (&json["choices"][0]["message"]["content"], &json["choices"][0]["finish_reason"]),
        (&text.into(), &"stop".into())
    );

    let directory = rig.directory.path().join("spool");
    let (kept, bytes) = spool::take(&directory, &ticket.parse().unwrap()).unwrap();
    assert_eq!(bytes, body.as_bytes());
    assert_eq!(
        (kept.queue.as_str(), kept.rule.as_str(), kept.failure.as_deref()),
        ("desk", "otherwise", Some("overload"))
    );
    assert_eq!(
        (kept.tenant.as_deref(), kept.request_id.as_str()),
        (Some("acme"), answer.header("x-wayside-request-id"))
    );
    let file = std::fs::read_to_string(directory.join(format!("{ticket}.ticket"))).unwrap();
    assert!(!file.contains(KEY) && !file.contains("caller-key"), "{file}");

    let (code, list) = wayside(rig.directory.path(), &["queue", "list"]);
    assert!(code == Some(0) && list.contains(&ticket) && list.contains("desk") && list.contains("acme"), "{list}");
    let (code, shown) = wayside(rig.directory.path(), &["queue", "show", &ticket]);
    assert!(code == Some(0) && shown.contains("where is my money?"), "{shown}");
    assert_eq!(wayside(rig.directory.path(), &["queue", "done", &ticket]), (Some(0), format!("{ticket} is done\n")));
    assert!(waiting(rig.directory.path()).is_empty());

    let line = &rig.lines.wait(1).await[0];
    assert_eq!((&line["outcome"], &line["status"]), (&"degraded".into(), &202.into()));
    assert_eq!((&line["degraded"], &line["ticket"]), (&"queue desk".into(), &ticket.into()));
    let page = Connection::open(rig.admin).await.get("/metrics").await.text();
    for line in [
        "wayside_degraded_total{rule=\"otherwise\",step=\"queue desk\"} 1",
        "wayside_tickets_total{queue=\"desk\",result=\"kept\"} 1",
        "wayside_tickets_waiting 1",
    ] {
        assert!(page.contains(line), "{line}\n--- in\n{page}");
    }
}

#[tokio::test]
async fn a_caller_that_wants_a_stream_gets_its_ticket_as_one() {
    let rig = rig("").await;
    let answer = post(rig.address, &chat_stream("gpt-4o", "hello"), &[TAGS]).await;
    assert_eq!((answer.status, answer.clean), (202, true), "{}", answer.text());
    assert!(answer.header("content-type").starts_with("text/event-stream"));
    let ticket = answer.header("x-wayside-ticket");
    assert_eq!(answer.streamed(), format!("No model could answer this request, so a person will. Ticket: {ticket}"));
    assert_eq!(answer.events().last().unwrap(), "[DONE]");
    assert_eq!(waiting(rig.directory.path()), [ticket.parse().unwrap()]);
}

#[tokio::test]
async fn a_full_spool_gives_the_next_step_or_an_error_that_says_so() {
    let rig = rig("spool: {tickets: 1}\n").await;
    assert_eq!(post(rig.address, &chat("m", "one"), &[]).await.status, 202);
    let next = post(rig.address, &chat("m", "two"), &[]).await;
    assert_eq!((next.status, next.header("x-wayside-degraded")), (200, "template sorry"), "{}", next.text());
    let last = post(rig.address, &chat("m", "three"), &[TAGS]).await;
    assert_eq!((last.status, last.header("x-wayside-reason"), last.header("x-wayside-ticket")), (503, "overload", ""));
    let message = last.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with("Its queue `desk` takes no tickets now."), "{message}");
    assert_eq!(waiting(rig.directory.path()).len(), 1);
    let page = Connection::open(rig.admin).await.get("/metrics").await.text();
    assert!(page.contains("wayside_tickets_total{queue=\"desk\",result=\"full_tickets\"} 2"), "{page}");
}

#[tokio::test]
async fn a_spool_that_vanished_is_not_a_ticket() {
    let rig = rig("").await;
    std::fs::remove_dir_all(rig.directory.path().join("spool")).unwrap();
    let answer = post(rig.address, &chat("m", "x"), &[]).await;
    assert_eq!((answer.status, answer.header("x-wayside-degraded")), (200, "template sorry"), "{}", answer.text());
    let page = Connection::open(rig.admin).await.get("/metrics").await.text();
    assert!(page.contains("wayside_tickets_total{queue=\"desk\",result=\"failed\"} 1"), "{page}");
}

#[tokio::test]
async fn a_reload_keeps_the_spool_and_a_wrong_one_is_rejected() {
    let rig = rig("").await;
    let config = rig.directory.path().join("wayside.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}spool: {{directory: policy.route}}\n")).unwrap();
    let sidecar = rig.sidecar.as_ref().unwrap();
    let wrong = sidecar.reload().unwrap_err().to_string();
    assert!(
        wrong.contains("spool.directory: tickets cannot be kept in `") && wrong.contains("policy.route`"),
        "{wrong}"
    );
    std::fs::write(&config, format!("{text}spool: {{directory: other}}\n")).unwrap();
    sidecar.reload().unwrap();
    assert_eq!(post(rig.address, &chat("m", "x"), &[]).await.status, 202);
    assert_eq!(spool::names(&rig.directory.path().join("other")).unwrap().len(), 1);
}

#[tokio::test]
async fn a_policy_without_a_queue_makes_no_directory() {
    let rig = Rig::new().await;
    assert_eq!(post(rig.address, &chat("m", "x"), &[]).await.status, 200);
    assert!(!rig.directory.path().join("spool").exists());
}

pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn serve(directory: &Path) -> (Killed, SocketAddr) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wayside"))
        .arg("serve")
        .current_dir(directory)
        .env("WAYSIDE_LOG", "error")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = errors.find_map(|line| {
        line.unwrap().strip_prefix("serving http://").map(|rest| rest.trim_end_matches("/v1").parse().unwrap())
    });
    std::thread::spawn(move || errors.for_each(drop));
    (Killed(child), address.expect("it serves"))
}

/// Tickets that callers hold, each with what it was for.
type Given = Arc<Mutex<Vec<(TicketId, String)>>>;

/// Posts until the connection breaks; every whole answer's ticket is noted.
async fn post_until_killed(address: SocketAddr, client: usize, tickets: Given) {
    let Ok(mut wire) = TcpStream::connect(address).await else { return };
    for n in 0.. {
        let text = format!("client {client} request {n}");
        if wire.write_all(&request("POST", "/v1/chat/completions", &chat("m", &text), &[])).await.is_err() {
            return;
        }
        let Some(answer) = whole_answer(&mut wire).await else { return };
        let ticket = answer.split("x-wayside-ticket: ").nth(1).and_then(|rest| rest.lines().next()).expect(&answer);
        tickets.lock().unwrap().push((ticket.parse().unwrap(), text));
    }
}

/// `None` when the connection ended before the answer did.
async fn whole_answer(wire: &mut TcpStream) -> Option<String> {
    use tokio::io::AsyncReadExt;
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split("content-length: ").nth(1)?.lines().next()?.parse::<usize>().ok()?;
            if body.len() >= length {
                return Some(text);
            }
        }
        if wire.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// The tickets of 300 answers and more, given by a process that is killed then, each with what it was for.
pub async fn given_before_kill_9(mut child: Killed, address: SocketAddr) -> Vec<(TicketId, String)> {
    let tickets = Arc::new(Mutex::new(Vec::new()));
    let clients: Vec<_> =
        (0..32).map(|client| tokio::spawn(post_until_killed(address, client, Arc::clone(&tickets)))).collect();
    let begun = Instant::now();
    while tickets.lock().unwrap().len() < 300 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{} tickets", tickets.lock().unwrap().len());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // `Child::kill` sends SIGKILL.
    child.0.kill().unwrap();
    for client in clients {
        client.await.unwrap();
    }
    let given = std::mem::take(&mut *tickets.lock().unwrap());
    assert!(given.len() >= 300, "{}", given.len());
    given
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_that_was_given_survives_kill_9() {
    let options = wayside::simulate::Options { faults: "- {fault: 503}".to_owned(), ..Default::default() };
    let simulator = wayside::simulate::start(options).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("policy.route"), policy()).unwrap();
    write_config(directory.path(), &simulator, "");
    let (child, address) = serve(directory.path());
    let given = given_before_kill_9(child, address).await;
    for (ticket, text) in &given {
        let (_, body) =
            spool::take(&directory.path().join("spool"), ticket).unwrap_or_else(|bad| panic!("{ticket}: {bad}"));
        assert!(String::from_utf8(body).unwrap().contains(text.as_str()));
    }
    // Whatever else lies there is whole, too, and the next process goes on with it.
    let (_child, address) = serve(directory.path());
    assert_eq!(post(address, &chat("m", "after"), &[]).await.status, 202);
    let (code, list) = wayside(directory.path(), &["queue", "list"]);
    assert_eq!(code, Some(0), "{list}");
    assert!(list.lines().count() > given.len() + 1);
}
