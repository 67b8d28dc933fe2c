//! Whether a run shows what its scenario is about: a function for each, from the report and the notes.

use std::time::Duration;

use super::Notes;
use super::hog::HOLD;
use super::memory::ENOUGH as ENOUGH_LOOKS;
use super::pulse::Pulse;
use crate::changes::ChangeOutcome;
use crate::report::{IncidentReport, Invariant, Outcome, Report, after};
use crate::words::{counted, grouped, percent, time};

/// Whether something was seen, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// `None` if the run does not tell.
    pub(crate) seen: Option<bool>,
    pub(crate) detail: String,
}

/// Beats without which nothing is said about a rate.
const ENOUGH: usize = 8;
/// What is slower by more is not the same rate.
const SAME: f64 = 0.75;

fn seen(seen: bool, detail: String) -> Seen {
    Seen { seen: Some(seen), detail }
}

fn unknown(detail: &str) -> Seen {
    Seen { seen: None, detail: detail.to_owned() }
}

fn too_short() -> Seen {
    unknown("the run was too short to tell")
}

fn untouched() -> Seen {
    unknown("nothing befell the server: the run ended before")
}

fn was_stopped(report: &Report) -> bool {
    report.outcome == Outcome::Interrupted
}

fn beats(report: &Report, pulse: &Pulse) -> Vec<u32> {
    pulse.until(Duration::from_secs_f64(report.duration_seconds))
}

fn per_second(rate: f64) -> String {
    format!("{}/s", grouped(rate.round() as u64))
}

/// The rates of both halves of a run.
fn halves(report: &Report, notes: &Notes) -> Option<(f64, f64)> {
    let beats = beats(report, &notes.pulse);
    let (first, second) = beats.split_at(beats.len() / 2);
    (first.len() >= ENOUGH / 2).then(|| (notes.pulse.rate(first), notes.pulse.rate(second)))
}

pub(super) fn steadiness(report: &Report, notes: &Notes) -> Seen {
    let Some((first, second)) = halves(report, notes) else { return too_short() };
    let words = [first, second].map(per_second);
    let detail = format!("{} in the first half, {} in the second", words[0], words[1]);
    seen(first > 0.0 && second >= first * SAME, detail)
}

pub(super) fn spike(report: &Report, notes: &Notes) -> Seen {
    let beats = beats(report, &notes.pulse);
    if beats.len() < ENOUGH {
        return too_short();
    }
    let (before, rest) = beats.split_at(beats.len() * 2 / 5);
    let spike = rest.iter().copied().max().unwrap_or_default();
    let last = &beats[beats.len() * 9 / 10..];
    let rates = [before, &[spike], last].map(|beats| notes.pulse.rate(beats));
    let [before, most, last] = rates.map(per_second);
    let waited = report.wait.max.map_or_else(|| "nothing".to_owned(), time);
    let detail = format!(
        "{before} before, {most} at most, {last} at the end; the longest wait was {waited}"
    );
    // What is left of the queue would still come out as fast as it can.
    seen(rates[1] > 2.0 * rates[0] && rates[2] < 2.0 * rates[0], detail)
}

pub(super) fn cold_start(report: &Report, notes: &Notes) -> Seen {
    let beats = beats(report, &notes.pulse);
    if beats.len() < ENOUGH {
        return too_short();
    }
    let steady = notes.pulse.rate(&beats[beats.len() / 2..]);
    let is_steady = |beat: &u32| notes.pulse.rate(&[*beat]) >= steady * SAME;
    let opened = counted(report.pool.opened, "connection");
    let waited = report.wait.max.map_or_else(|| "nothing".to_owned(), time);
    let rest = format!("{opened} opened, the longest wait was {waited}");
    match beats.iter().position(is_steady) {
        Some(first) if steady > 0.0 => {
            let after = notes.pulse.seconds(first + 1);
            let steady = per_second(steady);
            seen(report.pool.opened > 0, format!("steady within {after:.1} s, at {steady}; {rest}"))
        }
        _ => seen(false, format!("it never was steady; {rest}")),
    }
}

pub(super) fn churn(report: &Report, _: &Notes) -> Seen {
    let (opened, operations) = (report.pool.opened, report.operations + report.late);
    let each = match operations.checked_div(opened) {
        Some(each) if each > 9 => format!(", one for every {}", grouped(each)),
        Some(_) if operations > 0 => {
            let of_hundred = (opened as f64 / operations as f64 * 100.0).round() as u64;
            format!(", {} for every 100", grouped(of_hundred))
        }
        _ => String::new(),
    };
    let (connections, done) = (counted(opened, "connection"), counted(operations, "operation"));
    let detail = format!("{connections} opened for {done}{each}");
    seen(opened > 3 * report.config.max_open as u64, detail)
}

pub(super) fn hog(report: &Report, notes: &Notes) -> Seen {
    let hogs = notes.twists();
    let held = hogs as f64 * HOLD.as_secs_f64();
    let all = report.service.mean.unwrap_or_default() / 1e6 * report.service.count as f64;
    if all <= 0.0 {
        return too_short();
    }
    let share = (held / all).min(1.0);
    let words = format!(
        "{} of {} had {} of the connections' time",
        grouped(hogs),
        counted(report.operations + report.late, "operation"),
        percent(share)
    );
    seen(share > 0.5, words)
}

pub(super) fn leak(report: &Report, notes: &Notes) -> Seen {
    let kept = notes.twists();
    let rates = halves(report, notes).map_or_else(String::new, |(first, second)| {
        let [first, second] = [first, second].map(per_second);
        format!("; {first} in the first half of the load, {second} in the second")
    });
    seen(kept > 0, format!("{} never given back{rates}", counted(kept, "connection")))
}

pub(super) fn impatience(report: &Report, notes: &Notes) -> Seen {
    let given_up = counted(notes.twists(), "caller");
    let (is_whole, end) = match report.invariant {
        Invariant::Held => (true, "nothing is lost"),
        Invariant::Broken => (false, "and something is lost"),
        Invariant::Unchecked => (false, "and whether something is lost is not known"),
    };
    seen(is_whole && notes.twists() > 0, format!("{given_up} gave up; {end}"))
}

pub(super) fn nested(report: &Report, notes: &Notes) -> Seen {
    let in_vain = counted(notes.twists(), "operation");
    let done = counted(report.operations + report.late, "operation");
    let detail = format!(
        "{in_vain} held a connection and waited for another in vain; {done} had both. Take one for an \
         operation and pass it on, or have more connections than callers"
    );
    seen(notes.twists() > 0, detail)
}

pub(super) fn exhaustion(report: &Report, notes: &Notes) -> Seen {
    let [incident] = &report.incidents[..] else { return untouched() };
    let beats = beats(report, &notes.pulse);
    let over = incident.until_seconds.unwrap_or(report.duration_seconds);
    let left = beat_of(over, &beats, &notes.pulse);
    let (meanwhile, after) = beats.split_at(left);
    let (failed, rates) =
        (report.pool.open_failed, [meanwhile, after].map(|beats| notes.pulse.rate(beats)));
    let detail = format!(
        "{} failed; {} meanwhile, {} afterwards; {} in use at once",
        counted(failed, "connect"),
        per_second(rates[0]),
        per_second(rates[1]),
        counted(report.pool.peak_in_use as u64, "connection")
    );
    seen(failed > 0 && rates.iter().all(|rate| *rate > 0.0), detail)
}

pub(super) fn recovery(report: &Report, _: &Notes) -> Seen {
    match &report.incidents[..] {
        [incident @ IncidentReport { problem: Some(problem), .. }] if !incident.befell() => {
            unknown(problem)
        }
        [incident] if incident.recovered_after_seconds.is_none() && was_stopped(report) => {
            unknown("the run was stopped before an operation could succeed again")
        }
        [incident] => {
            let detail = match incident.recovered_after_seconds {
                Some(seconds) => {
                    format!("operations succeeded again {} it was over", after(seconds))
                }
                None => "no operation succeeded after it".to_owned(),
            };
            seen(incident.recovered_after_seconds.is_some(), detail)
        }
        _ => untouched(),
    }
}

pub(super) fn distance(report: &Report, notes: &Notes) -> Seen {
    let Some((before, meanwhile, after)) = around(report, notes) else { return too_short() };
    let words = [before, meanwhile, after].map(per_second);
    let detail = format!("{} before, {} meanwhile, {} after", words[0], words[1], words[2]);
    seen(meanwhile < before * SAME && after > meanwhile, detail)
}

/// The rates before, during and after what befell the server.
fn around(report: &Report, notes: &Notes) -> Option<(f64, f64, f64)> {
    let beats = beats(report, &notes.pulse);
    let [incident] = &report.incidents[..] else { return None };
    let from = beat_of(incident.at_seconds, &beats, &notes.pulse);
    let until = beat_of(incident.until_seconds?, &beats, &notes.pulse);
    let (before, rest) = beats.split_at(from);
    let (meanwhile, after) = rest.split_at(until.saturating_sub(from));
    // What began before and ended within is of neither.
    let meanwhile = meanwhile.get(1..)?;
    let is_enough = [before, meanwhile, after].iter().all(|beats| !beats.is_empty());
    let [before, meanwhile, after] =
        [before, meanwhile, after].map(|beats| notes.pulse.rate(beats));
    is_enough.then_some((before, meanwhile, after))
}

/// The beat of a time, or the end.
fn beat_of(seconds: f64, beats: &[u32], pulse: &Pulse) -> usize {
    pulse.number(Duration::from_secs_f64(seconds)).min(beats.len())
}

pub(super) fn resize(report: &Report, _: &Notes) -> Seen {
    let applied = |outcome| report.changes.iter().filter(|it| it.outcome == outcome).count() as u64;
    let (made, refused) = (applied(ChangeOutcome::Applied), applied(ChangeOutcome::Refused));
    let detail = format!(
        "{} made, {} refused, {} failed",
        counted(made, "change"),
        grouped(refused),
        counted(report.errors, "operation")
    );
    seen(made > 0 && refused == 0 && report.errors == 0, detail)
}

pub(super) fn soak(_: &Report, notes: &Notes) -> Seen {
    let memory = notes.memory.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let course = match memory.course() {
        Ok(course) => course,
        Err(0) => {
            return unknown("this system does not say how much memory a process has; Linux does");
        }
        Err(looks) => {
            return unknown(&format!(
                "{} at the memory, five a second, and it takes {ENOUGH_LOOKS} to tell: run it for \
                 10 s at least, and for an hour to see memory that grows slowly",
                counted(looks as u64, "look")
            ));
        }
    };
    let megabytes = |bytes: f64| format!("{:.1} MB", bytes / 1e6);
    let [second, third, fourth] = course.quarters.map(megabytes);
    let words = if course.grows() { "memory grows" } else { "memory does not grow" };
    let detail = format!(
        "{words}: {second} on average in the second quarter, {third} in the third, {fourth} in the \
         last, {} at most ({} looks)",
        megabytes(course.most as f64),
        course.samples
    );
    seen(!course.grows(), detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn a_run_that_was_stopped_meanwhile_does_not_tell_of_a_recovery() {
        let incident = IncidentReport {
            at_seconds: 1.0,
            what: "the server was held still".to_owned(),
            until_seconds: Some(2.0),
            undone: Some("it went on".to_owned()),
            failed: 0,
            recovered_after_seconds: None,
            problem: None,
        };
        let notes = Notes::of(Duration::from_secs(10));
        let mut report = Report { incidents: vec![incident], ..samples::report() };
        report.outcome = Outcome::Interrupted;
        assert_eq!(recovery(&report, &notes).seen, None);
        report.outcome = Outcome::Completed;
        assert_eq!(recovery(&report, &notes).seen, Some(false));
        report.outcome = Outcome::Interrupted;
        report.incidents[0].recovered_after_seconds = Some(0.1);
        assert_eq!(recovery(&report, &notes).seen, Some(true));
        report.incidents[0].problem = Some("no such process".to_owned());
        assert_eq!(recovery(&report, &notes).seen, Some(true), "it could not be undone at once");
        IncidentReport::NOTHING.clone_into(&mut report.incidents[0].what);
        assert_eq!(recovery(&report, &notes), unknown("no such process"), "nothing happened");
    }
}
