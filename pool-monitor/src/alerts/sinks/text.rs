//! A notification as text for people.

use std::time::SystemTime;

use crate::alerts::Notification;
use crate::alerts::alert::Alert;

/// So many alerts are listed; of more it is said how many there are.
const MOST_LISTED: usize = 20;

/// A line for each alert.
pub(super) fn lines(notification: &Notification) -> Vec<String> {
    let alerts = &notification.alerts;
    let mut lines: Vec<_> = alerts.iter().take(MOST_LISTED).map(line).collect();
    if let Some(more) = alerts.len().checked_sub(MOST_LISTED).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
    lines
}

/// What the program says of itself, in one line.
pub(super) fn labels(notification: &Notification) -> String {
    let labels = notification.labels.iter().map(|(name, value)| format!("{name}={value}"));
    labels.collect::<Vec<_>>().join(" ")
}

fn line(alert: &Alert) -> String {
    let Alert { pool, summary, started, resolved, .. } = alert;
    let started = time(*started);
    match resolved {
        None => format!("{pool}: {summary} (since {started})"),
        Some(resolved) => {
            format!("{pool}: resolved at {} (was since {started}: {summary})", time(*resolved))
        }
    }
}

/// As RFC 3339 demands it. Before 1970, a clock was not set.
pub(super) fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time.max(SystemTime::UNIX_EPOCH)).to_string()
}
