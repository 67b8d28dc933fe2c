//! A fleet as text for people.

use std::fmt::{self, Display, Formatter};

use super::report::{FleetMember, FleetReport, MemberEnd};
use crate::report::Outcome;
use crate::words::{counted, grouped, heading, paragraph, percent, time};

impl Display for FleetReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.database {
            Some(database) => writeln!(f, "{}, {database}", self.system)?,
            None => writeln!(f, "{}", self.system)?,
        }
        let Self { workload, duration_seconds, seed, fleet, .. } = self;
        let members = counted(self.members.len() as u64, "member");
        let ended = match self.outcome {
            Outcome::Completed => "",
            _ => "; interrupted, so this is a part",
        };
        let load = self.load_in_words();
        heading(
            f,
            &format!(
                "fleet {fleet} of {members}, {workload}, {load} each, {duration_seconds:.1} s, seed \
                 {seed}{ended}"
            ),
        )?;
        writeln!(f)?;
        writeln!(
            f,
            "{:<8}{:>9}{:>9}{:>10}{:>10}{:>9}{:>13}{:>11}",
            "member", "joined", "floor in", "granted", "open", "errors", "throughput", "p99"
        )?;
        self.members.iter().try_for_each(|member| row(f, member))?;
        writeln!(f)?;
        let throughput = grouped(self.throughput.round() as u64);
        let errors = counted(self.errors, "error");
        paragraph(f, "throughput", &format!("{throughput}/s of all, {errors}"))?;
        paragraph(f, "budget", &self.budget_in_words())?;
        paragraph(f, "at most", &self.peaks_in_words())?;
        paragraph(f, "fairness", &self.fairness_in_words())?;
        paragraph(f, "verdict", &self.summary)?;
        self.warnings.iter().try_for_each(|warning| paragraph(f, "warning", warning))
    }
}

/// Medians, and in brackets the most.
fn row(f: &mut Formatter<'_>, member: &FleetMember) -> fmt::Result {
    let FleetMember { number, joined_seconds, granted, open, errors, .. } = member;
    let floor = member.floor_after_seconds.map_or("never".to_owned(), |it| format!("{it:.1} s"));
    let p99 = member.response_p99.map_or_else(|| "-".to_owned(), time);
    let throughput = grouped(member.throughput.round() as u64) + "/s";
    write!(
        f,
        "{number:<8}{:>9}{floor:>9}{:>10}{:>10}{errors:>9}{throughput:>13}{p99:>11}",
        format!("{joined_seconds:.1} s"),
        format!("{} ({})", granted.median, granted.most),
        format!("{} ({})", open.median, open.most),
    )?;
    match (member.end, member.reused_after_seconds) {
        (MemberEnd::Left, _) => {}
        (MemberEnd::Killed, Some(after)) => write!(f, "  killed, reused in {after:.1} s")?,
        (MemberEnd::Killed, None) => write!(f, "  killed")?,
        (MemberEnd::Failed, _) => write!(f, "  failed")?,
    }
    writeln!(f)
}

impl FleetReport {
    /// What it comes to.
    pub(crate) fn in_words(&self) -> String {
        if !self.faults.is_empty() {
            return self.faults.join("; ");
        }
        let super::FleetPeaks { fleet_sessions, sessions, .. } = self.peaks;
        let kept = |most: usize, whose: &str, total: usize| {
            format!(
                "the fleet kept to its budget: never more than {most} sessions{whose}, of {total}, and \
                 nobody was refused"
            )
        };
        match (fleet_sessions, sessions, self.budget.total) {
            (Some(most), _, Some(total)) => kept(most, "", total),
            // Those of the fleet are among them.
            (None, Some(most), Some(total)) if most <= total => kept(most, " of anybody", total),
            _ => {
                "nobody was refused; what the fleet had in sum, the server does not show".to_owned()
            }
        }
    }

    pub(crate) fn load_in_words(&self) -> String {
        match &self.tasks_each[..] {
            [] => self.load.in_words(),
            tasks => {
                let tasks: Vec<_> = tasks.iter().map(u32::to_string).collect();
                format!("{} tasks in turn", tasks.join(", "))
            }
        }
    }

    pub(crate) fn budget_in_words(&self) -> String {
        let total = match self.budget.total {
            Some(total) => counted(total as u64, "connection"),
            None => "an unknown number of connections".to_owned(),
        };
        let super::FleetBudget { reserve, source, floor, .. } = &self.budget;
        format!("{total} ({source}), {reserve} of them kept back, {floor} or more for each member")
    }

    fn peaks_in_words(&self) -> String {
        let super::FleetPeaks { fleet_sessions, sessions, granted, open } = self.peaks;
        let said = format!("members said {open} open, {granted} granted");
        match (fleet_sessions, sessions) {
            (Some(fleet), Some(all)) => {
                format!("{fleet} sessions of the fleet on the server, {all} of anybody; {said}")
            }
            (None, Some(all)) => format!("{all} sessions of anybody on the server; {said}"),
            _ => said,
        }
    }

    pub(crate) fn fairness_in_words(&self) -> String {
        match self.fairness {
            Some(fairness) => format!(
                "the share furthest from a fair one was {} from it, {} at most",
                percent(fairness.median),
                percent(fairness.most)
            ),
            None => "members came and went too often to tell".to_owned(),
        }
    }
}
