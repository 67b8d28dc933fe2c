//! A manager's configuration that follows its file: while the program runs, and only if it is right.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use pool_core::{
    ConfigError, ConnectionManager, ManagerPlan, ManagerReconfigured, NamedSources, PoolOutcome,
};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::sleep;

/// How long a changed file has to stay as it is, so that it is whole.
const SETTLED: Duration = Duration::from_millis(100);

/// How a [`Reloader`] works.
#[derive(Clone, Debug)]
pub struct ReloadOptions {
    /// How often the file is read: from 10 ms to an hour; `None` for never by itself. Default: 1 s.
    ///
    /// It is read rather than watched: that also notices what is put in its place by a rename, a link that
    /// is turned to another folder, a file on another machine, and files that it names for a pool's URL.
    pub interval: Option<Duration>,
    /// Whether SIGHUP has it read at once. The signal does not end the program any more then, also not
    /// after the reloader is gone. Default: yes.
    pub on_hangup: bool,
}

impl Default for ReloadOptions {
    fn default() -> Self {
        Self { interval: Some(Duration::from_secs(1)), on_hangup: true }
    }
}

/// Why there is no reloader.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The interval is out of its range.
    #[error("an interval of {0:?} is not possible: choose one from 10ms to 1h")]
    Interval(Duration),
    /// Another one could not be had from the system: a thread, a descriptor, the signal.
    #[error("cannot start the thread that reloads the configuration")]
    Thread(#[source] io::Error),
}

/// What became of a manager's file so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReloadStatus {
    /// How many times something was changed by it.
    pub applied: u64,
    /// When that was last.
    pub last_applied: Option<SystemTime>,
    /// What is wrong with it now: since when, and every problem. The configuration before it is in force.
    pub refused: Option<(SystemTime, String)>,
    /// What it asks for that takes a restart; empty for nothing.
    pub needs_restart: String,
}

/// Keeps a manager's pools at what its file says, beside what environment and code say.
///
/// A file is applied as a whole or not at all. One that is wrong changes nothing, is said once, in the log
/// and to the pools' observers, and stays in [`status`](Self::status) until it is mended.
///
/// It has a thread of its own, and keeps the manager's pools open. Dropping it ends the thread, without
/// waiting.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = pool_testkit::FakeServer::new(std::sync::Arc::new(pool_core::runtime::TokioRuntime::new()));
/// # use pool_core::{ConnectionManager, Drivers, ManagerOptions, NamedSources};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("pools.toml");
/// # std::fs::write(&path, "[pools.orders]\nurl = 'fake://db/orders'\nmax_open = 4\n")?;
/// # let manager = ConnectionManager::new(ManagerOptions {
/// #     drivers: Drivers::default()
/// #         .register(&["fake"], move |_url| Ok(pool_testkit::FakeDriver::new(&server))),
/// #     sources: NamedSources::default().toml_file(&path),
/// #     ..ManagerOptions::default()
/// # })?;
/// use pool_health::{ReloadOptions, Reloader};
///
/// let reloader = Reloader::start(&manager, &path, &ReloadOptions::default())?;
/// std::fs::write(&path, "[pools.orders]\nurl = 'fake://db/orders'\nmax_open = 8\n")?;
/// reloader.reload()?; // at once; it would have noticed in a moment
/// assert_eq!(manager.control("orders")?.config().max_open, 8);
/// # Ok(())
/// # }
/// ```
pub struct Reloader {
    watch: Arc<Watch>,
    _end: oneshot::Sender<()>,
}

struct Watch {
    manager: ConnectionManager,
    path: PathBuf,
    /// What was read last. Held from reading until it is applied, so that what was read first is not
    /// applied last. Foreign code runs meanwhile.
    seen: Mutex<Option<Reading>>,
    /// Never held while foreign code runs, which may ask for it.
    status: Mutex<ReloadStatus>,
}

/// What was read at one time.
#[derive(PartialEq)]
struct Reading {
    sources: NamedSources,
    /// What they come to, with the files that they name for URLs.
    plan: Result<ManagerPlan, ConfigError>,
}

/// When to look again.
enum Next {
    /// It has changed just now, and may be half written.
    Soon,
    AsUsual,
}

impl Reloader {
    /// Begins to follow the file at `path`, which need not be the one the manager was made from.
    ///
    /// # Errors
    ///
    /// The interval is out of its range, or the system has no thread, descriptor or signal left.
    pub fn start(
        manager: &ConnectionManager,
        path: impl AsRef<Path>,
        options: &ReloadOptions,
    ) -> Result<Self, ReloadError> {
        let ReloadOptions { interval, on_hangup } = *options;
        if let Some(interval) = interval
            && !(Duration::from_millis(10)..=Duration::from_hours(1)).contains(&interval)
        {
            return Err(ReloadError::Interval(interval));
        }
        let watch = Arc::new(Watch {
            manager: manager.clone(),
            path: path.as_ref().to_owned(),
            seen: Mutex::default(),
            status: Mutex::default(),
        });
        let (end, ended) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let following = Arc::clone(&watch);
        let follow = move || {
            // Made here: its end must not be waited for where it was asked for, which may be in another.
            let (runtime, hangups) = match runtime(on_hangup) {
                Ok(made) => made,
                Err(error) => return drop(tell.send(error)),
            };
            drop(tell);
            runtime.block_on(async {
                tokio::select! {
                    () = follow(&following, interval, hangups) => {}
                    _ended = ended => {}
                }
            });
        };
        let thread = thread::Builder::new().name("pool-reload".to_owned());
        thread.spawn(follow).map_err(ReloadError::Thread)?;
        // Nothing is told if all is well.
        told.recv().map_or(Ok(()), |error| Err(ReloadError::Thread(error)))?;
        Ok(Self { watch, _end: end })
    }

    /// Reads the file now, and applies what it says, in the calling thread. Reads a file and may run
    /// observers; asks no database. Waits for another reload that is under way, so an observer must not
    /// call it.
    ///
    /// # Errors
    ///
    /// Every problem of the file; nothing has changed then.
    pub fn reload(&self) -> Result<ManagerReconfigured, ConfigError> {
        let _reading = self.watch.seen.lock();
        match self.watch.read().plan {
            Ok(plan) => {
                self.watch.note_restart(&plan);
                Ok(self.watch.apply(plan))
            }
            Err(error) => {
                self.watch.note_refused(&error.to_string());
                // Each time: whoever asked for it is answered.
                self.watch.manager.tell_refused(&error);
                Err(error)
            }
        }
    }

    /// What is wrong with the file as long as it is refused, for [`Probes::note`](crate::Probes::note);
    /// nothing once the reloader is gone, which it does not keep.
    pub fn note(&self) -> impl Fn() -> Option<String> + Send + Sync + 'static {
        let watch = Arc::downgrade(&self.watch);
        move || {
            let refused = watch.upgrade()?.status.lock().refused.clone();
            refused.map(|(_, why)| format!("the configuration is refused: {why}"))
        }
    }

    /// What became of the file so far.
    #[must_use]
    pub fn status(&self) -> ReloadStatus {
        self.watch.status.lock().clone()
    }
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader")
            .field("path", &self.watch.path)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// What following takes.
fn runtime(on_hangup: bool) -> io::Result<(Runtime, Option<Signal>)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let within = runtime.enter();
    let hangups = on_hangup.then(|| signal(SignalKind::hangup())).transpose()?;
    drop(within);
    Ok((runtime, hangups))
}

/// Looks at the file at its interval, and when it is told to.
async fn follow(watch: &Watch, interval: Option<Duration>, mut hangups: Option<Signal>) {
    let mut next = Next::AsUsual;
    loop {
        let pause = match next {
            Next::Soon => Some(SETTLED),
            Next::AsUsual => interval,
        };
        let due = async {
            match pause {
                Some(pause) => sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        let told = async {
            match &mut hangups {
                Some(hangups) => hangups.recv().await.unwrap_or_default(),
                None => std::future::pending().await,
            }
        };
        next = tokio::select! {
            () = due => watch.contain(Watch::look),
            // Whoever sends it says that the file is whole. Those that come meanwhile are one.
            () = told => watch.contain(Watch::look_once),
        };
    }
}

impl Watch {
    /// Keeps a panic of foreign code (drivers) from ending the thread: nobody would follow the file.
    fn contain(&self, look: fn(&Self) -> Next) -> Next {
        catch_unwind(AssertUnwindSafe(|| look(self))).unwrap_or_else(|_| {
            self.note_refused("a driver panicked; see what it said then");
            Next::AsUsual
        })
    }

    /// Follows what is read, if it is the same as when it was read last.
    fn look(&self) -> Next {
        let mut seen = self.seen.lock();
        let reading = self.read();
        if seen.as_ref() != Some(&reading) {
            *seen = Some(reading);
            return Next::Soon;
        }
        self.follow(reading.plan);
        Next::AsUsual
    }

    /// Follows what is read.
    fn look_once(&self) -> Next {
        let _reading = self.seen.lock();
        self.follow(self.read().plan);
        Next::AsUsual
    }

    /// Reads the file, and those that it names.
    fn read(&self) -> Reading {
        let sources = self.manager.sources().toml_file(&self.path);
        let plan = self.manager.preview(&sources);
        Reading { sources, plan }
    }

    /// Applies what differs from what is in force. What is wrong is said once.
    fn follow(&self, plan: Result<ManagerPlan, ConfigError>) {
        match plan {
            Ok(plan) => {
                self.note_restart(&plan);
                if plan.changes_anything() {
                    // Said where it is done.
                    let _done = self.apply(plan);
                } else {
                    self.note_mended();
                }
            }
            Err(error) => {
                if self.note_refused(&error.to_string()) {
                    self.manager.tell_refused(&error);
                }
            }
        }
    }

    fn note_restart(&self, plan: &ManagerPlan) {
        // Not with what is changed now: it would be said again once that is done.
        let pools = plan.pools.iter();
        let pools = pools.filter_map(|it| Some(format!("{}: {}", it.pool, it.restart?)));
        let routes = plan.routes_changed.then(|| "the changed routes need a restart".to_owned());
        let wanted = pools.chain(routes).collect::<Vec<_>>().join("\n");
        let known = std::mem::replace(&mut self.status.lock().needs_restart, wanted.clone());
        if !wanted.is_empty() && known != wanted {
            tracing::warn!(target: "pool_health", wanted, "a part of the configuration takes a restart");
        }
    }

    fn note_mended(&self) {
        let refused = self.status.lock().refused.take();
        if refused.is_some() {
            let path = self.path.display();
            tracing::info!(target: "pool_health", %path, "the configuration is mended");
        }
    }

    /// Notes what is wrong; whether that is news.
    fn note_refused(&self, why: &str) -> bool {
        let mut status = self.status.lock();
        if status.refused.as_ref().is_some_and(|(_, known)| known == why) {
            return false;
        }
        status.refused = Some((SystemTime::now(), why.to_owned()));
        drop(status);
        tracing::error!(
            target: "pool_health", path = %self.path.display(), why,
            "the configuration is refused, the one before it goes on"
        );
        true
    }

    fn apply(&self, plan: ManagerPlan) -> ManagerReconfigured {
        let outcome = plan.apply();
        let is_changed = |it: &PoolOutcome| {
            it.applied.is_some() || it.renewed.is_some() || it.invalidated.is_some()
        };
        {
            let mut status = self.status.lock();
            status.refused = None;
            if outcome.pools.iter().any(is_changed) {
                status.applied += 1;
                status.last_applied = Some(SystemTime::now());
            }
        }
        let (shown, path) = (outcome.to_string(), self.path.display());
        tracing::info!(
            target: "pool_health", %path, outcome = shown.trim_end(),
            "the configuration is applied"
        );
        outcome
    }
}
