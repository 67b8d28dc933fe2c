//! Little's law as a check of a run's figures: what the pool counted, and what the load tester timed,
//! must agree.
//!
//! Both count from the first operation to the last, also what went on after the time was up, so that
//! an operation at the end is on both sides.

use crate::report::LittlesLaw;
use crate::words::{counted, grouped, percent, time};

/// A larger difference is none of rounding.
const TOLERANCE: f64 = 0.05;
/// Fewer operations than this agree by chance only.
const ENOUGH: u64 = 100;
/// What the pool's clock resolves, in microseconds: on Linux a tick of the system, of 1 to 10 ms.
const CLOCK: f64 = 10_000.0;

/// What both sides have counted.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    /// From the first operation to the last, in seconds.
    pub(crate) seconds: f64,
    /// Time that connections were held, in sum, as the pool counted it, in seconds.
    pub(crate) held_seconds: f64,
    /// Operations that had a connection, however they ended.
    pub(crate) served: u64,
    /// How long they had it on average, and the longest of them, in microseconds.
    pub(crate) service: f64,
    pub(crate) longest: f64,
    /// Acquires beside the operations' own.
    pub(crate) nested: u64,
    /// Whether connections were in use as the count began, so that it has parts of operations.
    pub(crate) is_cut: bool,
    /// Connections that did not come back.
    pub(crate) left_out: usize,
    /// Whether the pool was changed meanwhile.
    pub(crate) is_mixed: bool,
    /// Whether it ran for as long as it was meant to.
    pub(crate) is_whole: bool,
}

impl LittlesLaw {
    /// Checks it; `None` if nothing was done.
    pub(crate) fn of(figures: &Figures) -> Option<Self> {
        let Figures { seconds, held_seconds, served, service, .. } = *figures;
        if served == 0 || seconds <= 0.0 {
            return None;
        }
        let rate = served as f64 / seconds;
        let (in_use, expected) = (held_seconds / seconds, rate * service / 1e6);
        let larger = in_use.max(expected);
        let difference = if larger > 0.0 { (in_use - expected).abs() / larger } else { 0.0 };
        let holds = difference <= TOLERANCE;
        let product = format!("{}/s x {}", amount(rate), time(service));
        let off = if difference < 0.0995 {
            format!("{:.1} % off", difference * 100.0)
        } else {
            format!("{} off", percent(difference))
        };
        let detail = if holds {
            format!("{} in use = {product} ({off})", amount(in_use))
        } else {
            let why = figures.why_not(in_use - expected);
            let (in_use, expected) = (amount(in_use), amount(expected));
            format!("{in_use} in use, but {product} = {expected} ({off}): {why}")
        };
        Some(Self { in_use, rate_times_service: expected, difference, holds, detail })
    }
}

impl Figures {
    /// The likeliest reason why they do not agree.
    fn why_not(&self, more: f64) -> String {
        let held_more = more > 0.0;
        if self.left_out > 0 && !held_more {
            let out = counted(self.left_out as u64, "connection");
            format!("{out} did not come back, and the pool counts a hold when it ends")
        } else if self.nested > 0 && held_more {
            let others = counted(self.nested, "acquire");
            format!(
                "{others} came beside the operations' own: others use this pool, or an \
                     operation takes several connections"
            )
        } else if self.served < ENOUGH {
            let served = counted(self.served, "operation");
            format!("{served} had a connection, which is too few to agree")
        } else if self.is_cut && self.longest / 1e6 >= self.seconds * TOLERANCE {
            let longest = time(self.longest);
            format!("operations of up to {longest} are cut at the beginning or the end")
        } else if self.is_mixed {
            "the pool was changed meanwhile".to_owned()
        } else if !self.is_whole {
            "the run was ended early".to_owned()
        } else if held_more {
            let each = time(more * self.seconds / self.served as f64 * 1e6);
            format!(
                "each connection counts as in use for {each} longer, while the task that it was \
                 handed to waits for a processor"
            )
        } else if self.service < CLOCK {
            let service = time(self.service);
            format!(
                "operations of {service} are short for the pool's clock, which may tick only \
                     every 10 ms"
            )
        } else {
            "the pool counted less than was timed; no reason is known".to_owned()
        }
    }
}

/// A number to three digits, or whole.
fn amount(number: f64) -> String {
    match number {
        number if number < 9.995 => format!("{number:.2}"),
        number if number < 99.95 => format!("{number:.1}"),
        number => grouped(number.round() as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 204 operations a second of 5 ms each, for 10 s.
    fn agreeing() -> Figures {
        Figures {
            seconds: 10.0,
            held_seconds: 60.3,
            served: 12_040,
            service: 5_000.0,
            longest: 20_000.0,
            nested: 0,
            is_cut: false,
            left_out: 0,
            is_mixed: false,
            is_whole: true,
        }
    }

    fn law(figures: &Figures) -> LittlesLaw {
        LittlesLaw::of(figures).expect("something was done")
    }

    #[test]
    fn figures_that_agree_are_shown_as_an_equation() {
        let law = law(&agreeing());
        assert_eq!(law.detail, "6.03 in use = 1 204/s x 5.00 ms (0.2 % off)");
        assert!(law.holds && law.difference < 0.01, "{law:?}");
    }

    #[test]
    fn five_percent_is_rounding_and_more_is_not() {
        let of = |held_seconds| law(&Figures { held_seconds, ..agreeing() });
        assert!(of(60.2 / 0.951).holds && of(60.2 * 0.951).holds);
        assert!(!of(60.2 / 0.949).holds && !of(60.2 * 0.949).holds);
    }

    #[test]
    fn nothing_done_proves_nothing() {
        assert_eq!(LittlesLaw::of(&Figures { served: 0, ..agreeing() }), None);
        assert_eq!(LittlesLaw::of(&Figures { seconds: 0.0, ..agreeing() }), None);
        let at_once = law(&Figures { held_seconds: 0.0, service: 0.0, ..agreeing() });
        assert!(at_once.holds && at_once.difference == 0.0, "{at_once:?}");
    }

    #[test]
    fn figures_that_do_not_agree_name_the_likeliest_reason() {
        let more = Figures { held_seconds: 80.0, ..agreeing() };
        let less = Figures { held_seconds: 40.0, ..agreeing() };
        let whole = "8.00 in use, but 1 204/s x 5.00 ms = 6.02 (25 % off): each connection counts \
                     as in use for 1.64 ms longer, while the task that it was handed to waits for a \
                     processor";
        assert_eq!(law(&more).detail, whole);
        for (figures, words) in [
            (
                Figures { nested: 1, ..more.clone() },
                "1 acquire came beside the operations' own: others",
            ),
            (Figures { left_out: 2, ..less.clone() }, "2 connections did not come back"),
            (Figures { left_out: 1, ..less.clone() }, "1 connection did not come back"),
            (
                Figures { longest: 1e6, is_cut: true, ..less.clone() },
                "operations of up to 1.00 s are cut",
            ),
            (Figures { is_mixed: true, ..less.clone() }, "the pool was changed meanwhile"),
            (Figures { is_whole: false, ..less.clone() }, "the run was ended early"),
            (
                Figures { held_seconds: 140.0, service: 15_000.0, ..agreeing() },
                "no reason is known",
            ),
            (
                Figures { served: 99, held_seconds: 1.0, ..agreeing() },
                "99 operations had a connection, which is too few",
            ),
            (
                Figures { service: 500.0, held_seconds: 5.0, ..agreeing() },
                "operations of 500 us are short for the pool's clock, which may tick only every",
            ),
        ] {
            let law = law(&figures);
            assert!(!law.holds && law.detail.contains(words), "{words:?} not in {law:?}");
        }
        let nobody = law(&Figures { left_out: 2, ..more });
        assert!(!nobody.detail.contains("come back"), "they would make it less: {nobody:?}");
    }
}
