//! New policies and configurations without a restart.
//!
//! In: changed files. Out: calls of [`Sidecar::reload`]. Must not know: what is in the files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::sidecar::Sidecar;
use crate::config::RequestLog;

/// An editor, or a ConfigMap update, changes several files in a row; they are read when it has been quiet this long.
const QUIET: Duration = Duration::from_millis(150);

/// Notices changes of files.
pub struct Watch {
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
    changes: mpsc::Receiver<()>,
}

impl Watch {
    /// From here on no change is missed.
    ///
    /// Directories are watched and not files: editors replace files, and a ConfigMap swaps a symbolic link beside them.
    pub fn begin(sidecar: &Sidecar) -> Option<Self> {
        let (told, changes) = mpsc::channel(1);
        let own = match &sidecar.in_force().config.request_log {
            RequestLog::File(path) => path.canonicalize().ok(),
            RequestLog::Off | RequestLog::Stdout => None,
        };
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| is_change(event.kind) && !is_own(&event.paths, own.as_deref())) {
                // Full means that a reload is due anyway.
                let _ = told.try_send(());
            }
        });
        match watcher {
            Ok(watcher) => {
                let mut watch = Self { watcher, watched: BTreeSet::new(), changes };
                watch.follow(&sidecar.files());
                Some(watch)
            }
            Err(error) => {
                tracing::warn!("files cannot be watched ({error}); reload with SIGHUP or POST /reload");
                None
            }
        }
    }

    /// Reloads whenever a file changes, for as long as the runtime lives.
    pub async fn reload(mut self, sidecar: Arc<Sidecar>) {
        while self.changes.recv().await.is_some() {
            while tokio::time::timeout(QUIET, self.changes.recv()).await.is_ok_and(|more| more.is_some()) {}
            // Said aloud inside; whatever came of it, the next change is waited for.
            let _ = sidecar.reload("a file changed").await;
            self.follow(&sidecar.files());
        }
    }

    fn follow(&mut self, files: &[PathBuf]) {
        for directory in files.iter().filter_map(|file| directory(file)) {
            if self.watched.contains(&directory) {
                continue;
            }
            match self.watcher.watch(&directory, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(directory);
                }
                Err(error) => tracing::warn!("`{}` cannot be watched: {error}", directory.display()),
            }
        }
    }
}

/// Reading a file is an event too, and a reload reads files.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

/// The request log often lies beside the policy, and every batch of lines is an event. Both are canonical: hundreds of events a
/// second are not worth a look at the disk each.
fn is_own(changed: &[PathBuf], log: Option<&Path>) -> bool {
    !changed.is_empty() && changed.iter().all(|path| Some(path.as_path()) == log)
}

fn directory(file: &Path) -> Option<PathBuf> {
    let parent = file.parent()?;
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    // What is not there is named as it was meant: watching it says so.
    Some(parent.canonicalize().unwrap_or_else(|_| parent.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_request_log_are_no_change() {
        let (log, policy) = (PathBuf::from("/etc/wayside/requests.log"), PathBuf::from("/etc/wayside/policy.route"));
        assert!(is_own(std::slice::from_ref(&log), Some(&log)));
        assert!(!is_own(std::slice::from_ref(&policy), Some(&log)) && !is_own(&[log.clone(), policy], Some(&log)));
        assert!(!is_own(&[], Some(&log)) && !is_own(&[log], None));
    }

    #[test]
    fn events_of_a_directory_name_files_as_the_disk_does() {
        let directory = tempfile::tempdir().unwrap();
        let (real, link) = (directory.path().join("real"), directory.path().join("link"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let log = real.join("requests.log");
        std::fs::write(&log, "").unwrap();
        for way in [link.join("policy.route"), real.join(".").join("policy.route")] {
            let named = super::directory(&way).unwrap().join("requests.log");
            assert!(is_own(&[named], Some(&log.canonicalize().unwrap())), "{}", way.display());
        }
        assert_eq!(super::directory(Path::new("policy.route")), std::env::current_dir().unwrap().canonicalize().ok());
        assert_eq!(super::directory(Path::new("/nowhere/policy.route")), Some(PathBuf::from("/nowhere")));
    }
}
