//! Keeps a panic of foreign code (driver, observer, connection, waker) from spreading.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs foreign code; `None` if it panicked. The panic hook has had its say by then.
///
/// Safe to use with `AssertUnwindSafe`: what `code` touches is discarded or unchanged after a panic.
pub(crate) fn contain<T>(code: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(code)) {
        Ok(value) => Some(value),
        Err(payload) => {
            discard(payload);
            None
        }
    }
}

/// Drops a panic's payload, which is foreign code too.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // A payload that panics while it is dropped is not dropped again.
        std::mem::forget(second);
    }
}

/// The text of a panic's payload, which it consumes.
pub(crate) fn panic_message(payload: Box<dyn Any + Send>) -> String {
    let message = if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "no message".to_owned()
    };
    discard(payload);
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::panic_any;

    /// Panics when it is dropped.
    struct Spiteful;

    impl Drop for Spiteful {
        fn drop(&mut self) {
            panic!("and another");
        }
    }

    #[test]
    fn a_payload_that_panics_when_it_is_dropped_is_contained() {
        assert_eq!(contain(|| panic_any(Spiteful)), None::<()>);
        assert_eq!(panic_message(Box::new(Spiteful)), "no message");
    }

    #[test]
    fn a_panic_says_what_it_said() {
        assert_eq!(panic_message(Box::new("text")), "text");
        assert_eq!(panic_message(Box::new("string".to_owned())), "string");
    }
}
