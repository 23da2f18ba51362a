//! Start, reload, drain, stop.

use std::time::Duration;

use tokio::net::UnixStream;
use wayside::serve::{Drained, Options, Origin, Reloaded, read_config, start};
use wayside::telemetry::Sink;

use super::client::{Connection, chat, chat_stream, post, request};
use super::rig::{POLICY, Rig, Setup, write_config};

#[tokio::test]
async fn a_stream_in_flight_is_finished_before_the_end() {
    let mut rig = Rig::with_faults("- {fault: events=20;delay=50ms}").await;
    let mut streaming = Connection::open(rig.address).await;
    let mut idle = Connection::open(rig.address).await;
    assert_eq!(idle.get("/v1/models").await.status, 200);
    streaming.send(&request("POST", "/v1/chat/completions", &chat_stream("m", "x"), &[])).await;
    streaming.until("data:").await;
    let sidecar = rig.sidecar.take().unwrap();
    let stopping = tokio::task::spawn_blocking(move || sidecar.stop());
    let answer = streaming.answer().await;
    assert!(answer.clean && answer.text().contains("[DONE]"), "{}", answer.text());
    assert_eq!(stopping.await.unwrap(), Drained::Clean);
    assert!(idle.is_closed().await);
    assert!(tokio::net::TcpStream::connect(rig.address).await.is_err());
    assert!(rig.lines.text().contains("\"outcome\":\"answered\""));
}

#[tokio::test]
async fn a_request_that_is_on_its_way_when_draining_begins_is_answered_and_told_to_close() {
    let mut rig = Rig::with_faults("- {fault: slow-head=300ms}").await;
    let mut late = Connection::open(rig.address).await;
    assert_eq!(late.get("/v1/models").await.header("connection"), "keep-alive");
    let mut busy = Connection::open(rig.address).await;
    busy.send(&request("POST", "/v1/chat/completions", &chat("m", "x"), &[])).await;
    while rig.simulator.seen().total == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let sidecar = rig.sidecar.take().unwrap();
    let stopping = tokio::task::spawn_blocking(move || sidecar.stop());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let answer = late.post(&chat("m", "x"), &[]).await;
    assert_eq!((answer.status, answer.header("connection")), (200, "close"));
    assert_eq!(busy.answer().await.status, 200);
    assert_eq!(stopping.await.unwrap(), Drained::Clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_could_connect_is_answered_even_while_draining() {
    let mut rig = Rig::new().await;
    let address = rig.address;
    let callers: Vec<_> = (0..20)
        .map(|_| {
            tokio::spawn(async move {
                let mut answered = 0;
                while let Ok(wire) = tokio::net::TcpStream::connect(address).await {
                    let answer = Connection::over(wire).post(&chat("m", "x"), &[]).await;
                    assert_eq!((answer.status, answer.clean), (200, true));
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let sidecar = rig.sidecar.take().unwrap();
    assert_eq!(tokio::task::spawn_blocking(move || sidecar.stop()).await.unwrap(), Drained::Clean);
    let mut answered = 0;
    for caller in callers {
        answered += caller.await.unwrap();
    }
    assert_eq!(rig.simulator.seen().total, answered);
}

#[tokio::test]
async fn a_drain_ends_when_its_time_is_up() {
    let faults = "- {fault: silence}";
    let mut rig = Rig::with(Setup { config: "limits: {drain: 500ms}", faults, ..Setup::default() }).await;
    let mut connection = Connection::open(rig.address).await;
    connection.send(&request("POST", "/v1/chat/completions", &chat("m", "x"), &[])).await;
    while rig.simulator.seen().total == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let sidecar = rig.sidecar.take().unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(tokio::task::spawn_blocking(move || sidecar.stop()).await.unwrap(), Drained::Cut(1));
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_changed_file_is_taken_up_and_a_wrong_one_is_not() {
    let rig = Rig::new().await;
    let before = rig.sidecar.as_ref().unwrap().policy().1;
    std::fs::write(rig.policy_path(), POLICY.replace("try again later", "come back")).unwrap();
    let changed = wait_for_policy(&rig, |hash| *hash != before).await;
    std::fs::write(rig.policy_path(), "route 1\nrule broken {").unwrap();
    let mut admin = Connection::open(rig.admin).await;
    for _ in 0..200 {
        if admin.get("/status").await.json()["last_reload"]["result"] == "rejected" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let status = admin.get("/status").await.json();
    assert_eq!(
        (&status["last_reload"]["result"], &status["policy_hash"]),
        (&"rejected".into(), &changed.clone().into())
    );
    assert!(status["last_reload"]["errors"].as_str().unwrap().contains("policy.route:2"), "{status}");
    assert_eq!(post(rig.address, &chat("m", "x"), &[]).await.status, 200);
    admin.send(&request("POST", "/reload", "", &[])).await;
    assert_eq!(admin.answer().await.status, 422);
    assert!(admin.get("/metrics").await.text().contains("wayside_reloads_total{result=\"rejected\"}"));
}

#[tokio::test]
async fn what_only_a_start_can_change_is_said_to_need_one() {
    let rig = Rig::new().await;
    let path = rig.directory.path().join("wayside.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut admin = Connection::open(rig.admin).await;
    let mut reload = async |text: &str| {
        std::fs::write(&path, text).unwrap();
        admin.send(&request("POST", "/reload", "", &[])).await;
        admin.answer().await.json()["needs_restart"].clone()
    };
    assert_eq!(reload(&format!("{text}# said otherwise\n")).await, serde_json::json!([]));
    let changed = text.replace("listen: 127.0.0.1:0\nadmin: 127.0.0.1:0", "listen: 127.0.0.1:1\nadmin: 'off'");
    let changed = format!("{changed}limits: {{threads: 3, pool: 7}}\nlog: {{requests: 'off', level: warn}}\n");
    let all = ["listen", "admin", "limits.threads", "limits.pool", "log.requests", "log.level"];
    assert_eq!(reload(&changed).await, serde_json::json!(all));
    assert_eq!(post(rig.address, &chat("m", "x"), &[]).await.status, 200);
    assert_eq!(reload(&text).await, serde_json::json!([]));
}

#[tokio::test]
async fn a_swapped_link_as_config_maps_do_it_is_taken_up() {
    let simulator = wayside::simulate::start(Default::default()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let put = |name: &str, policy: &str| {
        let folder = directory.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("policy.route"), policy).unwrap();
        folder
    };
    std::os::unix::fs::symlink(put("one", POLICY), directory.path().join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/policy.route", directory.path().join("policy.route")).unwrap();
    let config = write_config(directory.path(), &simulator, "");
    let origin = Origin { config: Some(config.clone()), policy: None };
    let options = Options { config: read_config(&config).unwrap(), origin, sink: Some(Sink::Off), watch: true };
    let sidecar = start(options).unwrap();
    let before = sidecar.policy().1;
    let two = put("two", &POLICY.replace("try again later", "come back"));
    std::os::unix::fs::symlink(two, directory.path().join("..data_tmp")).unwrap();
    std::fs::rename(directory.path().join("..data_tmp"), directory.path().join("..data")).unwrap();
    for _ in 0..250 {
        if sidecar.policy().1 != before {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the new policy never came into force");
}

async fn wait_for_policy(rig: &Rig, wanted: impl Fn(&String) -> bool) -> String {
    for _ in 0..250 {
        let hash = rig.sidecar.as_ref().unwrap().policy().1;
        if wanted(&hash) {
            return hash;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the policy never changed");
}

#[tokio::test]
async fn a_request_keeps_the_policy_it_began_under() {
    let rig = Rig::with_faults("- {fault: events=10;delay=60ms}").await;
    let mut connection = Connection::open(rig.address).await;
    connection.send(&request("POST", "/v1/chat/completions", &chat_stream("m", "x"), &[])).await;
    connection.until("data:").await;
    let before = rig.sidecar.as_ref().unwrap().policy().1;
    std::fs::write(rig.policy_path(), POLICY.replace("try again later", "come back")).unwrap();
    let after = wait_for_policy(&rig, |hash| *hash != before).await;
    assert_ne!(before, after);
    assert!(connection.answer().await.clean);
    assert_eq!(rig.lines.wait(1).await[0]["policy_hash"], before.as_str());
}

#[tokio::test]
async fn reloading_the_same_files_changes_nothing() {
    let rig = Rig::new().await;
    let reloaded = rig.sidecar.as_ref().unwrap().reload();
    assert_eq!(reloaded, Ok(Reloaded::Unchanged));
}

#[tokio::test]
async fn a_changed_certificate_is_taken_up_and_one_that_cannot_be_used_is_not() {
    let simulator = wayside::simulate::start(Default::default()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let signed = || rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (one, two) = (signed(), signed());
    put("policy.route", POLICY);
    put("ca.pem", &one.cert.pem());
    put("me.pem", &one.cert.pem());
    put("me.key", &one.signing_key.serialize_pem());
    let config = write_config(directory.path(), &simulator, "");
    let openai = format!("'{}'", simulator.base_url("openai"));
    let secured = "'https://localhost:1/v1', ca_file: ca.pem, client_cert_file: me.pem, client_key_file: me.key";
    let text = std::fs::read_to_string(&config).unwrap().replace(&openai, secured);
    std::fs::write(&config, text).unwrap();
    let origin = Origin { config: Some(config.clone()), policy: None };
    let options = Options { config: read_config(&config).unwrap(), origin, sink: Some(Sink::Off), watch: false };
    let sidecar = start(options).unwrap();
    assert_eq!(sidecar.reload(), Ok(Reloaded::Unchanged));
    put("ca.pem", &two.cert.pem());
    assert_eq!(sidecar.reload(), Ok(Reloaded::Changed));
    put("me.key", &two.signing_key.serialize_pem());
    let rejected = sidecar.reload().unwrap_err().to_string();
    assert!(rejected.contains("providers.openai: ") && rejected.contains("me.key"), "{rejected}");
    assert!(!rejected.contains("BEGIN"), "{rejected}");
    put("me.pem", &two.cert.pem());
    assert_eq!(sidecar.reload(), Ok(Reloaded::Changed));
    std::fs::remove_file(directory.path().join("me.pem")).unwrap();
    let rejected = sidecar.reload().unwrap_err().to_string();
    assert!(rejected.contains("providers.openai.client_cert_file: cannot read"), "{rejected}");
    assert_eq!(post(sidecar.address().unwrap(), &chat("m", "x"), &[]).await.status, 200);
}

#[tokio::test]
async fn operators_see_health_readiness_metrics_and_status() {
    let rig = Rig::new().await;
    assert_eq!(post(rig.address, &chat("m", "x"), &[("x-wayside-tenant", "acme")]).await.status, 200);
    let mut admin = Connection::open(rig.admin).await;
    assert_eq!(admin.get("/healthz").await.text(), "ok\n");
    assert_eq!(admin.get("/readyz").await.text(), "ready\n");
    rig.lines.wait(1).await;
    let metrics = admin.get("/metrics").await.text();
    assert!(metrics.contains("wayside_requests_total{outcome=\"answered\",rule=\"otherwise\""), "{metrics}");
    assert!(metrics.contains("wayside_cost_usd_total"), "{metrics}");
    let status = admin.get("/status").await.json();
    assert_eq!((&status["policy"], &status["draining"]), (&"proxy".into(), &false.into()));
    assert_eq!(admin.get("/nothing").await.status, 404);
}

#[tokio::test]
async fn a_unix_socket_serves_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    let simulator = wayside::simulate::start(Default::default()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("policy.route"), POLICY).unwrap();
    let config = write_config(directory.path(), &simulator, "");
    let text = std::fs::read_to_string(&config).unwrap().replace("listen: 127.0.0.1:0", "listen: unix:way.sock");
    std::fs::write(&config, text).unwrap();
    let origin = Origin { config: Some(config.clone()), policy: None };
    let options = Options { config: read_config(&config).unwrap(), origin, sink: Some(Sink::Off), watch: false };
    let sidecar = start(options).unwrap();
    let path = directory.path().join("way.sock");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut connection = Connection::over(UnixStream::connect(&path).await.unwrap());
    let large = "x".repeat(1 << 20);
    assert_eq!(connection.post(&chat("m", &large), &[]).await.status, 200);
    assert!(connection.post(&chat_stream("m", "x"), &[]).await.clean);
    tokio::task::spawn_blocking(move || sidecar.stop()).await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn http2_without_tls_is_spoken_on_the_same_port() {
    use http_body_util::{BodyExt, Full};
    let rig = Rig::with_faults("- {provider: anthropic, fault: cut=5;events=20}").await;
    let stream = tokio::net::TcpStream::connect(rig.address).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut client, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let mut ask = async |body: String, feature: &str| {
        let request = hyper::Request::post(format!("http://{}/v1/chat/completions", rig.address))
            .header("x-wayside-feature", feature)
            .body(Full::new(bytes::Bytes::from(body)))
            .unwrap();
        let answer = client.send_request(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.map(|body| body.to_bytes());
        (status, body)
    };
    let (status, body) = ask(chat("m", "x"), "tags").await;
    assert_eq!(status, 200);
    assert!(body.unwrap().starts_with(b"{"));
    let (_, body) = ask(chat_stream("m", "x"), "tags").await;
    assert!(body.unwrap().ends_with(b"data: [DONE]\n\n"));
    let (_, cut) = ask(chat_stream("m", "x"), "reply").await;
    assert!(cut.is_err(), "a cut stream is reset and does not end");
}

#[tokio::test]
async fn a_policy_with_errors_is_refused_with_its_findings() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = wayside::simulate::start(Default::default()).await.unwrap();
    let alias = POLICY.replace("openai/gpt-5.4-2026-03-05", "openai/gpt-5.4");
    std::fs::write(directory.path().join("policy.route"), alias).unwrap();
    let config = write_config(directory.path(), &simulator, "");
    let rejected = wayside::serve::check(read_config(&config).unwrap()).unwrap_err().to_string();
    assert!(rejected.contains("R201") && rejected.contains("policy.route:"), "{rejected}");
}

#[tokio::test]
async fn a_construct_that_is_not_carried_out_is_refused_by_name_and_place() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = wayside::simulate::start(Default::default()).await.unwrap();
    let extra = "budget night { limit $5_000 per day }\nguard pii { redact [email] in request }\n";
    std::fs::write(directory.path().join("policy.route"), format!("{POLICY}\n{extra}")).unwrap();
    let config = write_config(directory.path(), &simulator, "");
    let rejected = wayside::serve::check(read_config(&config).unwrap()).unwrap_err().to_string();
    for (name, line) in [("budget `night`", POLICY.lines().count() + 2), ("guard `pii`", POLICY.lines().count() + 3)] {
        let place = format!("policy.route:{line}:");
        let told = |text: &str| text.contains("R990") && text.contains(name) && text.contains(&place);
        assert!(rejected.lines().any(told), "{name}\n{rejected}");
    }
}
