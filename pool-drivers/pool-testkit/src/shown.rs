//! All that a pool, its driver and the libraries under them show, to be searched for a password.

use std::cell::RefCell;
use std::error::Error;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, Once, Weak};

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};
use pool_core::{
    AcquireCancelled, AcquireFailed, AcquireStarted, AcquireSucceeded, CircuitChanged,
    ConnectionChecked, ConnectionClosed, ConnectionOpened, ConnectionReleased, LeakSuspected,
    Observer, OpenFailed, PoolReconfigured, ReconfigureRefused, StatementFinished,
    StatementStarted, WaiterQueued,
};

/// What was shown: to developers and users, to observers, and in the log.
///
/// Of the log, down to `TRACE`, it gets what is said on the thread that [started](Self::start) it, so
/// that it is spared what other tests say in the same process: a test has it all in a runtime of one
/// thread. Spans and events of `tracing` are in it where that crate has its feature `log`.
#[derive(Clone)]
pub struct Shown(Arc<Mutex<String>>);

impl Shown {
    /// Begins, and takes the place of one that was started earlier on this thread.
    ///
    /// # Panics
    ///
    /// The process has another logger.
    #[must_use]
    pub fn start() -> Self {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            log::set_logger(&Logger).expect("no other logger");
            log::set_max_level(log::LevelFilter::Trace);
        });
        let shown = Self(Arc::default());
        LOGGED.set(Arc::downgrade(&shown.0));
        shown
    }

    /// Is shown every event of a pool.
    #[must_use]
    pub fn observer(&self) -> Arc<dyn Observer> {
        Arc::new(self.clone())
    }

    /// What `what` shows to developers, in one line and in many.
    pub fn note(&self, what: &dyn Debug) {
        self.add(&format!("{what:?}\n{what:#?}"));
    }

    /// What an error and its causes show to developers and users.
    pub fn note_error(&self, error: &dyn Error) {
        let mut next = Some(error);
        while let Some(error) = next {
            self.note(&error);
            self.add(&format!("{error}\n{error:#}"));
            next = error.source();
        }
    }

    /// A text that is shown as it is.
    pub fn note_text(&self, text: &str) {
        self.add(text);
    }

    /// Fails unless all of these words were shown: nobody finds a secret where nothing is shown.
    ///
    /// # Panics
    ///
    /// One of them was not.
    #[track_caller]
    pub fn expect(&self, words: &[&str]) {
        let shown = self.text();
        for word in words {
            assert!(shown.contains(word), "{word:?} was not shown");
        }
    }

    /// Fails if `secret` was shown as it is, escaped as in URLs or in strings, in Base64, or as the
    /// numbers of its bytes. What is printed then does not hold it.
    ///
    /// # Panics
    ///
    /// It was shown.
    #[track_caller]
    pub fn expect_no(&self, secret: &str) {
        let mut text = self.text().to_lowercase();
        for form in forms(secret).map(|form| form.to_lowercase()) {
            let line = text.lines().find(|line| line.contains(&form));
            let line = line.map(|line| line.replace(&form, "THE SECRET"));
            assert_eq!(line, None, "the secret was shown");
        }
        let numbers = secret.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(",");
        text.retain(|sign| !sign.is_whitespace());
        assert!(!text.contains(&numbers), "the bytes of the secret were shown as numbers");
    }

    /// A copy: who fails with the lock taken would spoil it for what is shown while a pool goes.
    fn text(&self) -> String {
        self.0.lock().expect("not poisoned").clone()
    }

    fn add(&self, text: &str) {
        writeln!(self.0.lock().expect("not poisoned"), "{text}").expect("a String takes it");
    }
}

impl Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shown").finish_non_exhaustive()
    }
}

/// `text` as a URL may hold it: every byte as `%` and two hexadecimal digits.
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    escaped(text, |_| true)
}

fn escaped(text: &str, is_escaped: impl Fn(u8) -> bool) -> String {
    text.bytes().fold(String::new(), |mut text, byte| {
        if is_escaped(byte) {
            write!(text, "%{byte:02X}").expect("a String takes it");
        } else {
            text.push(char::from(byte));
        }
        text
    })
}

/// How a text may hold a secret.
fn forms(secret: &str) -> [String; 8] {
    let quoted = format!("{secret:?}");
    let [base64, base64_1, base64_2] = [0, 1, 2].map(|before| within_base64(secret, before));
    [
        secret.to_owned(),
        quoted.trim_matches('"').to_owned(),
        percent_encoded(secret),
        escaped(secret, |byte| !byte.is_ascii_alphanumeric()),
        escaped(secret, |byte| !byte.is_ascii_alphanumeric() && !b"-._~".contains(&byte)),
        base64,
        base64_1,
        base64_2,
    ]
}

/// The part of `secret` in Base64 that is the same whatever stands around it, with so many bytes
/// before it.
fn within_base64(secret: &str, before: usize) -> String {
    let bytes: Vec<_> = std::iter::repeat_n(0, before).chain(secret.bytes()).collect();
    // A sign holds six bits; those that share some with a neighbour of the secret are left out.
    let (begin, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
    BASE64_STANDARD_NO_PAD.encode(bytes)[begin..end].to_owned()
}

macro_rules! note_all {
    ($($method:ident: $event:ident)*) => {
        impl Observer for Shown {
            $(fn $method(&self, event: &$event<'_>) {
                self.note(event);
            })*
        }
    };
}

note_all! {
    acquire_started: AcquireStarted
    acquire_succeeded: AcquireSucceeded
    acquire_failed: AcquireFailed
    acquire_cancelled: AcquireCancelled
    waiter_queued: WaiterQueued
    released: ConnectionReleased
    opened: ConnectionOpened
    open_failed: OpenFailed
    circuit_changed: CircuitChanged
    checked: ConnectionChecked
    closed: ConnectionClosed
    leak_suspected: LeakSuspected
    reconfigured: PoolReconfigured
    reconfigure_refused: ReconfigureRefused
    statement_started: StatementStarted
    statement_finished: StatementFinished
}

thread_local! {
    static LOGGED: RefCell<Weak<Mutex<String>>> = RefCell::default();
}

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        // A thread that ends may still say something.
        let shown = LOGGED.try_with(|logged| logged.borrow().upgrade());
        let Ok(Some(shown)) = shown else { return };
        let (level, target, text) = (record.level(), record.target(), record.args());
        Shown(shown).add(&format!("{level} {target}: {text}"));
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a\"b/c-d";

    /// Whether the secret is found in what `show` shows.
    fn is_found(show: impl FnOnce(&Shown)) -> bool {
        let shown = Shown::start();
        show(&shown);
        let look = std::panic::AssertUnwindSafe(|| shown.expect_no(SECRET));
        std::panic::catch_unwind(look).is_err()
    }

    #[test]
    fn a_secret_is_found_in_each_of_its_forms() {
        for form in [
            "a\"b/c-d",
            "a%22b%2Fc-d",
            "a%22b%2fc%2dd",
            "%61%22%62%2F%63%2D%64",
            "YSJiL2MtZA==",
            "dXNlcjphImIvYy1k",
            "OmEiYi9jLWRA",
            "Ojo6YSJiL2MtZA",
        ] {
            assert!(is_found(|shown| shown.add(form)), "{form}");
        }
        assert!(is_found(|shown| shown.note(&SECRET)));
        assert!(is_found(|shown| shown.note(&SECRET.as_bytes())));
        assert!(!is_found(|shown| shown.note(&"a b c d")));
    }

    #[test]
    fn a_secret_is_found_in_an_error_s_cause_and_in_the_log_of_this_thread() {
        let cause = std::io::Error::other(SECRET);
        assert!(is_found(|shown| shown.note_error(&std::io::Error::other(cause))));
        assert!(is_found(|_| log::trace!("{SECRET}")));
        let elsewhere = || std::thread::spawn(|| log::error!("{SECRET}")).join();
        assert!(!is_found(|_| elsewhere().expect("no panic")));
    }
}
