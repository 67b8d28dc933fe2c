//! A server as an administrator sees it, on sessions that are kept for such.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use pool_testkit::servers::{Access, Family};

/// Counts a user's sessions, again and again.
pub(super) struct Outside {
    is_over: Arc<AtomicBool>,
    watching: JoinHandle<usize>,
}

impl Outside {
    pub(super) fn watch(server: &Access, user: &Access) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, server, user) = (Arc::clone(&is_over), server.clone(), user.clone());
        let watching = thread::spawn(move || {
            let mut most = 0;
            while !over.load(Ordering::Relaxed) {
                most = most.max(sessions(&server, &user));
            }
            most
        });
        Self { is_over, watching }
    }

    /// The most that were seen.
    #[track_caller]
    pub(super) fn most(self) -> usize {
        self.is_over.store(true, Ordering::Relaxed);
        self.watching.join().expect("the server answered an administrator at any time")
    }
}

/// How many sessions a user has.
pub(super) fn sessions(server: &Access, user: &Access) -> usize {
    let user = &user.user;
    let question = match server.product.family() {
        Family::Postgres => {
            format!("select count(*) from pg_stat_activity where usename = '{user}'")
        }
        _ => format!("select count(*) from information_schema.processlist where user = '{user}'"),
    };
    let answer = server.run(&server.first_database, &question).expect("answered");
    answer.trim().parse().expect("a number")
}
