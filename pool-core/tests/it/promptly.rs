//! Tests that would not fail but hang, if what they are about were broken: deadlocks and spins.

use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;

use crate::rig::SEC;

/// Runs `test` in a thread of its own, to its end.
///
/// # Panics
///
/// With its panic, or if it has not ended after ten seconds. Its thread is left behind then.
#[track_caller]
pub(crate) fn promptly(test: impl FnOnce() + Send + 'static) {
    let (ended, has_ended) = channel();
    let thread = thread::spawn(move || {
        test();
        // Nobody listens any more if it took too long.
        let _ = ended.send(());
    });
    match has_ended.recv_timeout(10 * SEC) {
        Ok(()) => {}
        Err(RecvTimeoutError::Disconnected) => {
            resume_unwind(thread.join().expect_err("it sent nothing"))
        }
        Err(RecvTimeoutError::Timeout) => panic!("it hangs: a deadlock, or it spins"),
    }
}
