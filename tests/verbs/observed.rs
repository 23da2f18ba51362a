//! `wayside check --traffic` and `--live`: what a request log and a running proxy say of a policy.

use std::fs;

use crate::place::{Place, contains};

/// The folder of a code, as a workspace.
fn folder(code: &str) -> Place {
    let place = Place::new();
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/codes").join(code);
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        place.file(path.file_name().unwrap().to_str().unwrap(), fs::read(&path).unwrap());
    }
    place
}

#[test]
fn traffic_is_counted_for_the_policy_it_names_and_what_is_none_is_said() {
    let place = folder("R412");
    let log = place.text("fires.jsonl");
    let unasked = place.check(&["fires.route", "--format", "short"]);
    assert!(!unasked.out.contains("R412"), "{}", unasked.out);
    let ran = place.check(&["fires.route", "--format", "short", "--traffic", "fires.jsonl"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    contains(&ran.out, "fires.route:26:6: pedantic[R412] rules above take 97% of what `pro` matches");
    let allowed = place.check(&["fires.route", "--allow", "mostly-shadowed", "--traffic", "fires.jsonl"]);
    assert!(!allowed.out.contains("R412"), "{}", allowed.out);
    // Of two policies, a request belongs to the one that decided it.
    let other = place.text("quiet.route").replace("policy example", "policy other");
    place.file("quiet.route", other);
    place.file("mixed.jsonl", format!("{log}no line\n{}", log.replace("\"example\"", "\"third\"")));
    let ran = place.check(&["fires.route", "quiet.route", "--format", "short", "--traffic", "mixed.jsonl"]);
    assert_eq!(ran.out.matches("R412").count(), 1, "{}", ran.out);
    contains(&ran.err, "`mixed.jsonl`: 1 line is no request and left out; line 64");
    contains(&ran.err, "63 requests of policies that are not among these left out");
    for (log, says) in [("nowhere.jsonl", "cannot be read: no such file"), ("fires.route", "is no request log")] {
        let ran = place.check(&["fires.route", "--traffic", log]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        contains(&ran.err, says);
    }
    let ran = place.check(&["fires.route", "--traffic", "-", "--fix"]);
    assert_eq!(ran.code, 2);
    contains(&ran.err, "standard input can be read once");
}

/// Answers one request with these bytes, and where.
fn answers(bytes: &str) -> (String, std::thread::JoinHandle<String>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let bytes = bytes.to_owned();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        stream.write_all(bytes.as_bytes()).unwrap();
        String::from_utf8(head).unwrap()
    });
    (url, serving)
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

#[test]
fn a_running_proxy_says_which_rollouts_are_finished_and_an_edit_finishes_them() {
    let place = folder("R719");
    let status = place.text("fires.json");
    let (url, serving) = answers(&http("200 OK", &status));
    let ran = place.check(&["fires.route", "--format", "short", "--live", &url]);
    assert!(serving.join().unwrap().starts_with("GET /status HTTP/1.1\r\n"));
    assert_eq!(ran.code, 0, "{}", ran.err);
    contains(&ran.out, "fires.route:19:9: info[R719] rollout `sonnet` has stood at its last stage, 100%, for 2d");
    contains(&ran.err, "serves another version of policy `example` (sha256:00); rollouts are compared by name");

    let (url, serving) = answers(&http("200 OK", &status));
    let ran = place.check(&["fires.route", "--format", "short", "--diff", "--unsafe-fixes", "--live", &url]);
    serving.join().unwrap();
    contains(&ran.out, "-  candidate anthropic/claude-sonnet-5-5\n+  anthropic/claude-sonnet-5-5");
    contains(&ran.out, "-  snapshot        anthropic/claude-sonnet-5\n+  snapshot        anthropic/claude-sonnet-5-5");
    contains(&ran.out, "-rollout sonnet {");
}

#[test]
fn a_proxy_that_is_none_or_cannot_be_asked_is_no_clean_run() {
    let place = folder("R719");
    let asks = |bytes: &str| {
        let (url, serving) = answers(bytes);
        let ran = place.check(&["fires.route", "--live", &url]);
        serving.join().unwrap();
        ran
    };
    for (bytes, says) in [
        (http("404 Not Found", "nothing here"), "/status` cannot be asked: http status: 404"),
        (http("302 Found\r\nlocation: http://127.0.0.1:1/", ""), "/status` cannot be asked: it answers 302 Found"),
        (http("200 OK", "<html>"), "does not answer as the admin listener of `wayside serve` does"),
        (http("200 OK", "{\"policy\":\"example\"}"), "missing field `policy_hash`"),
        (http("200 OK", &" ".repeat(2 * 1024 * 1024 + 1)), "/status` cannot be asked: "),
        ("nonsense\r\n\r\n".to_owned(), "/status` cannot be asked: "),
    ] {
        let ran = asks(&bytes);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{says}: {}", ran.err);
        contains(&ran.err, says);
    }
    let at_the_limit = format!("{}{}", place.text("quiet.json"), " ".repeat(2 * 1024 * 1024));
    assert_eq!(asks(&http("200 OK", &at_the_limit[..2 * 1024 * 1024])).code, 0);
    let other = asks(&http("200 OK", "{\"policy\":\"other\",\"policy_hash\":\"sha256:00\"}"));
    assert_eq!(other.code, 0);
    contains(&other.err, "serves policy `other`, which is not among these");
    let ran = place.check(&["fires.route", "--live", "https://127.0.0.1:8788"]);
    assert_eq!(ran.code, 2);
    contains(&ran.err, "write it like `http://127.0.0.1:8788`");
}
