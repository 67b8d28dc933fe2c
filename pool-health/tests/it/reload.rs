//! A manager that follows its file.

use std::fs;
use std::ops::RangeInclusive;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pool_core::runtime::TokioRuntime;
use pool_core::{
    ConnectionManager, Drivers, ManagerOptions, NamedSources, Observer, PoolReconfigured,
    ReconfigureRefused,
};
use pool_health::{Probes, ReloadError, ReloadOptions, Reloader, RouterOptions};
use pool_testkit::{FakeDriver, FakeServer};
use tempfile::TempDir;

const AGES: Duration = Duration::from_secs(30);
const QUICK: ReloadOptions =
    ReloadOptions { interval: Some(Duration::from_millis(20)), on_hangup: false };

/// What observers are told: the new `max_open`, or what is wrong.
struct Told(std::sync::mpsc::Sender<Result<usize, String>>);

impl Observer for Told {
    fn reconfigured(&self, event: &PoolReconfigured<'_>) {
        let change = event.outcome.changes.iter().find(|change| change.field == "max_open");
        let max_open = change.and_then(|change| change.to.parse().ok()).expect("max_open changes");
        self.0.send(Ok(max_open)).expect("the test runs");
    }

    fn reconfigure_refused(&self, event: &ReconfigureRefused<'_>) {
        self.0.send(Err(event.error.to_string())).expect("the test runs");
    }
}

struct Rig {
    folder: TempDir,
    manager: ConnectionManager,
    told: Receiver<Result<usize, String>>,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self::asking(folder, &text(1), |_url| {})
    }

    /// With `asked` called for each URL that a driver is made from.
    fn asking(folder: TempDir, text: &str, asked: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let path = folder.path().join("pools.toml");
        fs::write(&path, text).expect("written");
        let (sender, told) = channel();
        let server = FakeServer::new(Arc::new(TokioRuntime::new()));
        let factory = move |url: &str| {
            asked(url);
            Ok(FakeDriver::new(&server))
        };
        let manager = ConnectionManager::new(ManagerOptions {
            drivers: Drivers::default().register(&["fake"], factory),
            sources: NamedSources::default().toml_file(path),
            observers: vec![Arc::new(Told(sender))],
            ..ManagerOptions::default()
        });
        Self { folder, manager: manager.expect("valid"), told }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("pools.toml")
    }

    fn write(&self, text: &str) {
        fs::write(self.path(), text).expect("written");
    }

    fn follow(&self) -> Reloader {
        Reloader::start(&self.manager, self.path(), &QUICK).expect("started")
    }

    fn next(&self) -> Result<usize, String> {
        self.told.recv_timeout(AGES).expect("told")
    }

    fn max_open(&self) -> usize {
        self.manager.control("orders").expect("there").config().max_open
    }
}

fn text(max_open: usize) -> String {
    format!("[pools.orders]\nurl = 'fake://db/orders'\nmax_open = {max_open}\n")
}

/// Waits for what the reloader's thread does besides telling.
#[track_caller]
fn until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < AGES, "it does not come about");
        std::thread::yield_now();
    }
}

#[test]
fn a_changed_file_is_applied() {
    let rig = Rig::new();
    let reloader = rig.follow();
    rig.write(&text(2));
    assert_eq!((rig.next(), rig.max_open()), (Ok(2), 2));
    until(|| reloader.status().applied == 1);
    assert_eq!(reloader.status().refused, None);
}

#[test]
fn a_bad_file_changes_nothing_and_is_told_once() {
    let rig = Rig::new();
    let reloader = rig.follow();
    rig.write("[pools.orders]\nurl = 'fake://db/orders'\nmax_opne = 2\n");
    let why = rig.next().expect_err("a misspelt field");
    assert!(why.contains("max_opne") && why.contains("max_open"), "{why}");
    assert_eq!(rig.max_open(), 1);
    until(|| reloader.status().refused.is_some_and(|(_, told)| told == why));
    let probes = Probes::new();
    probes.note(reloader.note());
    assert_eq!(probes.notes(), [format!("the configuration is refused: {why}")]);
    // Many looks later it was not told again.
    assert_eq!(rig.told.recv_timeout(Duration::from_millis(300)), Err(RecvTimeoutError::Timeout));
    rig.write(&text(1));
    until(|| reloader.status().refused.is_none());
    assert!(probes.notes().is_empty());
    fs::remove_file(rig.path()).expect("removed");
    let why = rig.next().expect_err("no file");
    assert!(why.contains("pools.toml"), "{why}");
    rig.write(&text(3));
    assert_eq!(rig.next(), Ok(3));
}

#[test]
fn whichever_way_a_file_is_replaced_what_it_says_last_holds() {
    let rig = Rig::new();
    let _reloader = rig.follow();
    // Nothing half written is applied on the way, and nothing refused.
    let settle = |allowed: RangeInclusive<usize>| {
        let last = *allowed.end();
        loop {
            let max_open = rig.next().expect("never refused");
            assert!(allowed.contains(&max_open), "{max_open} of {allowed:?}");
            if max_open == last {
                break;
            }
        }
        assert_eq!(rig.max_open(), last);
    };
    for max_open in 2..=11 {
        rig.write(&text(max_open));
    }
    settle(2..=11);
    for max_open in 12..=21 {
        let new = rig.folder.path().join("new.toml");
        fs::write(&new, text(max_open)).expect("written");
        fs::rename(&new, rig.path()).expect("renamed");
    }
    settle(12..=21);
    // As Kubernetes mounts a map: a link to a link to a folder, which is turned.
    let data = rig.folder.path().join("..data");
    let folder = |number: usize| {
        let folder = rig.folder.path().join(format!("..{number}"));
        fs::create_dir(&folder).expect("made");
        fs::write(folder.join("pools.toml"), text(number)).expect("written");
        folder
    };
    symlink(folder(21), &data).expect("linked");
    let link = rig.folder.path().join("link");
    symlink("..data/pools.toml", &link).expect("linked");
    fs::rename(&link, rig.path()).expect("renamed");
    for number in 22..=31 {
        let new = rig.folder.path().join("..data_tmp");
        symlink(folder(number), &new).expect("linked");
        fs::rename(&new, &data).expect("renamed");
    }
    settle(22..=31);
}

/// Has the file at `path` hold a URL that sets `max_open`.
fn write_url(path: &Path, max_open: usize) {
    let url = format!("fake://db/{max_open}?pool_max_open={max_open}\n");
    fs::write(path, url).expect("written");
}

#[test]
fn a_url_kept_in_a_file_is_followed_once_it_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = folder.path().join("url");
    write_url(&url, 1);
    let file = format!("[pools.orders]\nurl_file = '{}'\n", url.display());
    let written = url.clone();
    // It is written in pieces: whenever somebody has read it, it says something else.
    let rig = Rig::asking(folder, &file, move |url| {
        let number: usize = url.rsplit_once('/').expect("a path").1.parse().expect("a number");
        if (2..6).contains(&number) {
            write_url(&written, number + 1);
        }
    });
    let reloader = rig.follow();
    write_url(&url, 2);
    assert_eq!((rig.next(), rig.max_open()), (Ok(6), 6));
    until(|| reloader.status().applied == 1);
    fs::remove_file(&url).expect("removed");
    let why = rig.next().expect_err("no URL");
    assert!(why.contains("url_file"), "{why}");
    write_url(&url, 6);
    until(|| reloader.status().refused.is_none());
    assert_eq!(reloader.status().applied, 1);
}

#[test]
fn what_was_read_first_is_not_applied_last() {
    let folder = tempfile::tempdir().expect("a folder");
    let (entered, is_entered) = channel();
    let (open, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let rig = Rig::asking(folder, &text(1), move |url| {
        if url.ends_with("/slow") {
            entered.send(()).expect("the test runs");
            gate.lock().recv().expect("the test runs");
        }
    });
    let options = ReloadOptions { interval: None, on_hangup: false };
    let reloader = Reloader::start(&rig.manager, rig.path(), &options).expect("started");
    let (done, is_done) = channel();
    std::thread::scope(|scope| {
        rig.write(&text(2).replace("db/orders", "db/slow"));
        let slow = scope.spawn(|| reloader.reload());
        is_entered.recv_timeout(AGES).expect("read");
        rig.write(&text(3));
        let quick = scope.spawn(|| {
            let outcome = reloader.reload();
            done.send(()).expect("the test runs");
            outcome
        });
        // It waits for the first, or is done before it.
        let early = is_done.recv_timeout(Duration::from_millis(300));
        assert_eq!(reloader.status().applied, u64::from(early.is_ok()), "known meanwhile");
        open.send(()).expect("waited for");
        assert!(slow.join().expect("no panic").is_ok());
        assert!(quick.join().expect("no panic").is_ok());
    });
    assert_eq!(rig.max_open(), 3);
}

#[test]
fn a_driver_that_panics_ends_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let rig = Rig::asking(folder, &text(1), |url| {
        assert!(!url.ends_with("/panics"), "scripted panic");
    });
    let reloader = rig.follow();
    rig.write(&text(2).replace("db/orders", "db/panics"));
    let is_told = |why: &str| reloader.status().refused.is_some_and(|(_, told)| told.contains(why));
    until(|| is_told("panicked"));
    assert_eq!(rig.max_open(), 1);
    rig.write(&text(3));
    assert_eq!(rig.next(), Ok(3));
    until(|| reloader.status().refused.is_none());
}

#[test]
fn a_storm_of_hangups_reloads_and_ends_nothing() {
    let rig = Rig::new();
    let options = ReloadOptions { interval: None, on_hangup: true };
    let reloader = Reloader::start(&rig.manager, rig.path(), &options).expect("started");
    rig.write(&text(7));
    let process = std::process::id();
    let storm = format!("for i in $(seq 200); do kill -HUP {process}; done");
    let sent = Command::new("sh").args(["-c", &storm]).status().expect("a shell");
    assert!(sent.success());
    assert_eq!(rig.next(), Ok(7));
    until(|| reloader.status().applied == 1);
    assert_eq!(reloader.reload().expect("valid").to_string(), "orders: unchanged\n");
}

#[test]
fn what_takes_a_restart_is_shown_and_not_done() {
    let rig = Rig::new();
    let reloader = rig.follow();
    rig.write(&format!("{}[pools.more]\nurl = 'fake://db/more'\n", text(1)));
    until(|| !reloader.status().needs_restart.is_empty());
    let plan = reloader.status().needs_restart;
    assert_eq!(plan, "more: the new pool needs a restart");
    assert_eq!(rig.manager.names().count(), 1);
    // Together with what is changed it is the same.
    rig.write(&format!("{}[pools.more]\nurl = 'fake://db/more'\n", text(2)));
    assert_eq!(reloader.reload().expect("valid").to_string().lines().count(), 2);
    assert_eq!((rig.max_open(), reloader.status().needs_restart), (2, plan));
}

#[test]
fn what_it_notes_for_probes_does_not_keep_the_pools() {
    let kept = Arc::new(());
    let gone = Arc::downgrade(&kept);
    let folder = tempfile::tempdir().expect("a folder");
    let rig = Rig::asking(folder, &text(1), move |_url| assert_eq!(Arc::strong_count(&kept), 1));
    let probes = Probes::new();
    let reloader = rig.follow();
    probes.note(reloader.note());
    drop((reloader, rig));
    until(|| gone.upgrade().is_none());
    assert!(probes.notes().is_empty());
}

#[test]
fn dropped_it_follows_no_more_and_a_bad_interval_is_refused() {
    let rig = Rig::new();
    let reloader = rig.follow();
    drop(reloader);
    rig.write(&text(2));
    assert_eq!(rig.told.recv_timeout(Duration::from_millis(300)), Err(RecvTimeoutError::Timeout));
    let options = ReloadOptions { interval: Some(Duration::ZERO), ..QUICK };
    let refused = Reloader::start(&rig.manager, rig.path(), &options).expect_err("no interval");
    assert!(matches!(refused, ReloadError::Interval(_)));
    let text = "an interval of 0ns is not possible: choose one from 10ms to 1h";
    assert_eq!(refused.to_string(), text);
}

#[tokio::test]
async fn a_route_of_a_manager_is_found_by_its_name() {
    let rig = Rig::new();
    let file = format!("{}[routes.all]\npools = ['orders']\n", text(1));
    let server = FakeServer::new(Arc::new(TokioRuntime::new()));
    let manager = ConnectionManager::new(ManagerOptions {
        drivers: Drivers::default().register(&["fake"], move |_url| Ok(FakeDriver::new(&server))),
        sources: NamedSources::default().toml("pools.toml", &file),
        ..ManagerOptions::default()
    });
    let manager = manager.expect("valid");
    let router = |name| {
        pool_health::Router::<FakeDriver>::of_route(&manager, name, RouterOptions::default())
    };
    assert_eq!(router("all").expect("there").checkers().count(), 1);
    let unknown = router("al").expect_err("misspelt").to_string();
    assert!(unknown.contains("all"), "{unknown}");
    drop(rig);
}
