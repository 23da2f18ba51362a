//! The real binary: what it prints, how signals end it, what it never shows.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use super::client::{Connection, chat, chat_stream, request};
use super::rig::{KEY, POLICY, write_config};

struct Started {
    child: Child,
    errors: BufReader<ChildStderr>,
    address: std::net::SocketAddr,
}

fn serve(directory: &std::path::Path) -> Started {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wayside"))
        .arg("serve")
        .current_dir(directory)
        .env("WAYSIDE_LOG", "debug")
        // Nobody listens there, and nobody should be asked: the configuration alone says which way calls go.
        .envs(
            ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"]
                .map(|name| (name, "http://127.0.0.1:1")),
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    let address = loop {
        line.clear();
        assert_ne!(errors.read_line(&mut line).unwrap(), 0, "it ended before it served");
        if let Some(rest) = line.strip_prefix("serving http://") {
            break rest.trim().trim_end_matches("/v1").parse().unwrap();
        }
    };
    Started { child, errors, address }
}

impl Started {
    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Its code, and everything it printed after it had begun.
    async fn end(mut self) -> (Option<i32>, String) {
        let ended = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            self.errors.read_to_string(&mut text).unwrap();
            self.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
            (self.child.wait().unwrap().code(), text)
        });
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("it ends").unwrap()
    }
}

async fn workspace(faults: &str) -> (wayside::simulate::Handle, tempfile::TempDir) {
    let options = wayside::simulate::Options { faults: faults.to_owned(), ..Default::default() };
    let simulator = wayside::simulate::start(options).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("policy.route"), POLICY).unwrap();
    write_config(directory.path(), &simulator, "");
    (simulator, directory)
}

#[tokio::test]
async fn a_stream_is_finished_after_term_and_the_process_ends_with_0() {
    let (_simulator, directory) = workspace("- {provider: anthropic, fault: events=20;delay=40ms}").await;
    let started = serve(directory.path());
    let mut connection = Connection::open(started.address).await;
    connection.send(&request("POST", "/v1/chat/completions", &chat_stream("m", "x"), &[])).await;
    connection.until("data:").await;
    started.signal("-TERM");
    let answer = connection.answer().await;
    assert!(answer.clean && answer.text().contains("[DONE]"), "{}", answer.text());
    let (code, text) = started.end().await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("\"outcome\":\"answered\""), "{text}");
    assert!(!text.contains(KEY), "a key was shown");
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let (simulator, directory) = workspace("- {fault: silence}").await;
    let started = serve(directory.path());
    let mut connection = Connection::open(started.address).await;
    connection.send(&request("POST", "/v1/chat/completions", &chat("m", "x"), &[])).await;
    while simulator.seen().total == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    started.signal("-TERM");
    tokio::time::sleep(Duration::from_millis(300)).await;
    started.signal("-INT");
    let begun = std::time::Instant::now();
    let (code, text) = started.end().await;
    assert_eq!(code, Some(1), "{text}");
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn hup_reads_everything_again() {
    let (_simulator, directory) = workspace("").await;
    let started = serve(directory.path());
    // Outside the watched directory, so that only the signal can tell.
    started.signal("-HUP");
    let mut connection = Connection::open(started.address).await;
    assert_eq!(connection.post(&chat("m", "x"), &[]).await.status, 200);
    tokio::time::sleep(Duration::from_millis(300)).await;
    started.signal("-TERM");
    let (code, text) = started.end().await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("SIGHUP"), "{text}");
}

#[tokio::test]
async fn a_wrong_policy_is_refused_with_a_place_and_code_1() {
    let (_simulator, directory) = workspace("").await;
    std::fs::write(directory.path().join("policy.route"), POLICY.replace("gpt-5.4-2026-03-05", "gpt-5.4")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_wayside"))
        .args(["serve", "--check-only"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("policy.route:") && text.contains("R201"), "{text}");
    assert!(output.stdout.is_empty());
}

#[tokio::test]
async fn a_port_in_use_is_said_at_once() {
    let (_simulator, directory) = workspace("").await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_wayside"))
        .args(["serve", "--listen", &address])
        .current_dir(directory.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_ne!(output.status.code(), Some(0));
    assert!(text.contains(&address) && text.contains("in use"), "{text}");
}
