//! How outcomes of probes become a verdict: `HAProxy`'s rise and fall. Knows no clock.

use pool_core::Circuit;

/// What is held of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing was heard yet.
    Unknown,
    Up,
    Down,
}

/// What one probe says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Good,
    Bad,
}

#[derive(Clone, Debug)]
pub(crate) struct Judge {
    rise: u32,
    fall: u32,
    verdict: Verdict,
    /// How many probes in a row spoke against the verdict.
    against: u32,
}

impl Judge {
    pub(crate) fn new(rise: u32, fall: u32) -> Self {
        Self { rise, fall, verdict: Verdict::Unknown, against: 0 }
    }

    /// Hears an outcome. The first one makes the verdict.
    pub(crate) fn hear(&mut self, outcome: Outcome) {
        let (said, needed) = match outcome {
            Outcome::Good => (Verdict::Up, self.rise),
            Outcome::Bad => (Verdict::Down, self.fall),
        };
        if said == self.verdict {
            self.against = 0;
            return;
        }
        self.against += 1;
        if self.verdict == Verdict::Unknown || self.against >= needed {
            self.verdict = said;
            self.against = 0;
        }
    }

    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// How many probes in a row spoke against the verdict, and how many it takes.
    pub(crate) fn doubt(&self) -> (u32, u32) {
        let needed = if self.verdict == Verdict::Down { self.rise } else { self.fall };
        (self.against, needed)
    }

    /// Whether the next probe is worth being made sooner.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.verdict == Verdict::Unknown || self.against > 0
    }

    /// The verdict as a circuit: open while the database is down, half open while it seems to come back.
    pub(crate) fn circuit(&self) -> Circuit {
        match (self.verdict, self.against) {
            (Verdict::Unknown | Verdict::Up, _) => Circuit::Closed,
            (Verdict::Down, 0) => Circuit::Open,
            (Verdict::Down, _) => Circuit::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict after each of `outcomes`: `+` good, `-` bad.
    fn verdicts(rise: u32, fall: u32, outcomes: &str) -> String {
        let mut judge = Judge::new(rise, fall);
        let after = |outcome| {
            judge.hear(if outcome == '+' { Outcome::Good } else { Outcome::Bad });
            match judge.verdict() {
                Verdict::Unknown => '.',
                Verdict::Up => 'U',
                Verdict::Down => 'D',
            }
        };
        outcomes.chars().map(after).collect()
    }

    #[test]
    fn a_verdict_takes_as_many_outcomes_in_a_row_as_rise_and_fall_say() {
        assert_eq!(verdicts(2, 3, "+--+---+-++"), "UUUUUUDDDDU");
        assert_eq!(verdicts(1, 1, "+-+-"), "UDUD");
    }

    #[test]
    fn the_first_outcome_makes_the_verdict() {
        assert_eq!(verdicts(5, 5, "+"), "U");
        assert_eq!(verdicts(5, 5, "-"), "D");
    }

    #[test]
    fn its_circuit_is_open_while_it_is_down() {
        let mut judge = Judge::new(2, 1);
        assert_eq!((judge.circuit(), judge.is_in_doubt()), (Circuit::Closed, true));
        let mut heard = |outcome| {
            judge.hear(outcome);
            (judge.circuit(), judge.is_in_doubt())
        };
        assert_eq!(heard(Outcome::Good), (Circuit::Closed, false));
        assert_eq!(heard(Outcome::Bad), (Circuit::Open, false));
        assert_eq!(heard(Outcome::Good), (Circuit::HalfOpen, true));
        assert_eq!(heard(Outcome::Good), (Circuit::Closed, false));
    }
}
