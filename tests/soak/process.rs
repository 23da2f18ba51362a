//! One process of the sidecar: where it listens, what it holds, how it ends.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long it may take to end: its own drain limit, and a machine that is busy with something else.
const END: Duration = Duration::from_secs(60);
/// Megabytes that a process may have more than at its peak while warming up, beside half as much again.
const SLACK_MEGABYTES: u64 = 48;
/// Open files, likewise.
pub const SLACK_FILES: usize = 64;

/// Where callers connect.
#[derive(Clone, Debug)]
pub struct Place {
    pub tcp: SocketAddr,
    pub unix: PathBuf,
}

pub struct Sidecar {
    child: Child,
    printed: Arc<Mutex<String>>,
    pub place: Place,
    admin: SocketAddr,
}

/// How often policies were read.
#[derive(Debug)]
pub struct Reloads {
    pub taken: u64,
    pub rejected: u64,
}

impl Sidecar {
    pub fn start(directory: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wayside"))
            .arg("serve")
            .current_dir(directory)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let (mut tcp, mut line) = (None, String::new());
        let admin = loop {
            line.clear();
            assert_ne!(errors.read_line(&mut line).unwrap(), 0, "it ended before it served");
            if let Some(rest) = line.strip_prefix("serving http://") {
                tcp = Some(rest.trim().trim_end_matches("/v1").parse().unwrap());
            } else if let Some(rest) = line.strip_prefix("admin   http://") {
                break rest.split(' ').next().unwrap().parse().unwrap();
            }
        };
        let printed = Arc::new(Mutex::new(String::new()));
        let into = Arc::clone(&printed);
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = errors.read(&mut piece) {
                into.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..read]));
            }
        });
        Self { child, printed, place: Place { tcp: tcp.unwrap(), unix: directory.join("way.sock") }, admin }
    }

    /// Megabytes resident.
    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it lives");
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
    }

    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Waits until no more than so many files are open.
    pub async fn settle_at(&self, most: usize) {
        let begun = Instant::now();
        while self.open_files() > most {
            assert!(begun.elapsed() < END, "{} files are open, and {most} would be right", self.open_files());
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn ask(&self, line: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(self.admin).await.unwrap();
        let request = format!("{line} HTTP/1.1\r\nhost: admin\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    /// Has everything read again.
    pub async fn reload(&self) {
        let answer = self.ask("POST /reload").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    pub async fn reloads(&self) -> Reloads {
        let text = self.ask("GET /metrics").await;
        let of = |result: &str| {
            let name = format!("wayside_reloads_total{{result=\"{result}\"}} ");
            text.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
        };
        Reloads { taken: of("ok"), rejected: of("rejected") }
    }

    /// SIGTERM: its exit code and what it printed.
    pub async fn terminate(mut self) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let printed = self.printed.lock().unwrap().clone();
                assert!(!printed.contains("panicked"), "{printed}");
                return (status.code(), printed);
            }
            assert!(begun.elapsed() < END, "it does not end");
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process held, from look to look.
pub struct Life {
    megabytes: Vec<u64>,
    files: Vec<usize>,
}

impl Life {
    /// Looks at a process for so long.
    pub async fn of(sidecar: &Sidecar, length: Duration) -> Self {
        let (begun, mut life) = (Instant::now(), Self { megabytes: Vec::new(), files: Vec::new() });
        while begun.elapsed() < length {
            tokio::time::sleep(LOOK).await;
            life.megabytes.push(sidecar.resident());
            life.files.push(sidecar.open_files());
        }
        life
    }

    /// The peak of its last third is hardly higher than that of its first half, in which it warms up.
    pub fn is_flat(&self) {
        let looks = self.files.len();
        let (early, late) = (..looks / 2, looks - looks / 3..);
        let megabytes =
            (self.megabytes[early].iter().max().unwrap(), self.megabytes[late.clone()].iter().max().unwrap());
        let files = (self.files[early].iter().max().unwrap(), self.files[late].iter().max().unwrap());
        println!("megabytes {megabytes:?}, open files {files:?}");
        assert!(*megabytes.1 <= megabytes.0 * 3 / 2 + SLACK_MEGABYTES, "{:?}", self.megabytes);
        assert!(*files.1 <= files.0 * 3 / 2 + SLACK_FILES, "{:?}", self.files);
    }
}
