//! Large and many.

use super::client::{chat_stream, post};
use super::rig::Rig;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_of_one_and_twenty_megabytes_go_through_whole() {
    let rig = Rig::with_faults("- {provider: anthropic, fault: 503}").await;
    for size in [1 << 20, 20 << 20] {
        // An image, because no window takes twenty megabytes of text.
        let image = format!("data:image/png;base64,{}", "A".repeat(size));
        let parts = serde_json::json!([{"type": "image_url", "image_url": {"url": image}}]);
        let body = serde_json::json!({"model": "gpt-4o", "messages": [{"role": "user", "content": parts}]}).to_string();
        let answer = post(rig.address, &body, &[]).await;
        assert_eq!((answer.status, answer.header("x-wayside-hop")), (200, "2"), "{size}: {}", answer.text());
        let seen = rig.simulator.seen();
        let last = seen.requests.last().unwrap();
        assert_eq!(last.body_bytes as usize, body.len() - "gpt-4o".len() + "gpt-5.4-2026-03-05".len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_streams_at_once_lose_nothing() {
    let rig = Rig::with_faults("- {fault: events=100;delay=5ms}").await;
    let before = resident_megabytes();
    let streams: Vec<_> = (0..500)
        .map(|n| {
            let address = rig.address;
            tokio::spawn(async move { post(address, &chat_stream("gpt-4o", &format!("stream {n}")), &[]).await })
        })
        .collect();
    for stream in streams {
        let answer = stream.await.unwrap();
        assert_eq!((answer.status, answer.clean), (200, true));
        assert!(answer.events().len() >= 102);
        assert_eq!(answer.events().last().unwrap(), "[DONE]");
    }
    let lines = rig.lines.wait(500).await;
    assert!(lines.iter().all(|line| line["outcome"] == "answered"));
    // Client, simulator and proxy together, sockets' buffers included.
    let grown = resident_megabytes().saturating_sub(before);
    assert!(grown < 400, "{grown} MB for 500 streams");
}

fn resident_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kilobytes| kilobytes / 1024)
}
