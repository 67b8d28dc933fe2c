//! A fleet in the forms that take more than its structure.

use super::document::{Cell, Document, Finding, KeyFigure, Section, Table, Tone};
use super::junit::{Case, Suite};
use super::rows::{Rows, field};
use super::svg::{Axis, Colour, Layer, Plot, Shape, Spread, Unit};
use super::{Lines, Printable, unfinished, utc};
use crate::fleet::{FleetMember, FleetPoint, FleetReport, MemberEnd, MemberPoint};
use crate::words::{grouped, time};

/// Of the members, in turn; red is the budget's.
const COLOURS: [Colour; 4] = [Colour::Blue, Colour::Orange, Colour::Green, Colour::Purple];
/// Points that a plot has at most: more cannot be told apart.
const MOST_POINTS: usize = 400;

impl Printable for FleetReport {
    fn lines(&self) -> serde_json::Result<Lines> {
        let mut lines = Lines::default();
        for point in &self.points {
            lines.add("point", point)?;
        }
        lines.add("fleet", &Self { points: Vec::new(), ..self.clone() })?;
        Ok(lines)
    }

    /// A row for each member at each point, under the names of its fields in JSON.
    fn rows(&self) -> Rows {
        let fields = ["at_seconds", "member", "state", "granted", "open", "in_use", "waiting"];
        let further = ["demand", "recommended", "operations", "fleet_sessions", "sessions"];
        let mut rows = Rows::under(fields.into_iter().chain(further));
        for point in &self.points {
            let members = (1..).zip(&point.members);
            let there = members.filter_map(|(number, member)| Some((number, member.as_ref()?)));
            rows.rows.extend(there.map(|(number, member)| csv_row(point, number, member)));
        }
        rows
    }

    fn document(&self) -> Document {
        let began = utc(self.provenance.began_unix_seconds);
        let database = self.database.as_ref().map_or_else(String::new, |name| format!(", {name}"));
        let mut notices: Vec<_> = unfinished(self.outcome, "run").into_iter().collect();
        notices.extend(self.warnings.iter().map(|warning| format!("Warning: {warning}")));
        let is_well = self.faults.is_empty();
        let (label, tone) =
            if is_well { ("within its budget", Tone::Good) } else { ("failed", Tone::Bad) };
        let finding =
            Finding { label: label.to_owned(), tone, summary: self.summary.clone(), advice: None };
        Document {
            title: format!("Fleet {} on {}{database}", self.fleet, self.system),
            subtitle: about(self),
            notices,
            finding: Some(finding),
            key_figures: key_figures(self),
            sections: vec![Section {
                title: "Members".to_owned(),
                paragraphs: vec![format!("Fairness: {}.", self.fairness_in_words())],
                plots: plots(self),
                tables: vec![members(self)],
            }],
            footer: format!(
                "Measured by pool-loadtest {} from {began} on.",
                self.provenance.version
            ),
        }
    }

    fn suite(&self) -> Suite {
        let ended = "the run came to its end";
        let ended = match unfinished(self.outcome, "run") {
            None => Case::passed(ended),
            Some(why) => Case::failed(ended, why),
        };
        let kept = "the fleet kept to its budget, and nobody was refused or failed";
        let kept = match &self.faults[..] {
            [] => Case::passed(kept),
            faults => Case::failed(kept, faults.join("; ")),
        };
        Suite {
            name: "pool-loadtest.fleet".to_owned(),
            about: about(self),
            seconds: self.duration_seconds,
            began_unix_seconds: self.provenance.began_unix_seconds,
            cases: vec![ended, kept],
            output: self.to_string(),
        }
    }
}

fn about(report: &FleetReport) -> String {
    let (members, load) = (report.members.len(), report.load_in_words());
    let FleetReport { workload, seed, .. } = report;
    format!(
        "{members} processes, {workload}, {load} each, share {}, seed {seed}",
        report.budget_in_words()
    )
}

fn csv_row(point: &FleetPoint, number: usize, member: &MemberPoint) -> Vec<String> {
    vec![
        point.at_seconds.to_string(),
        number.to_string(),
        field(member.state.as_ref()),
        member.granted.to_string(),
        member.open.to_string(),
        member.in_use.to_string(),
        member.waiting.to_string(),
        member.demand.to_string(),
        field(member.recommended),
        member.operations.to_string(),
        field(point.fleet_sessions),
        field(point.sessions),
    ]
}

fn count(value: usize) -> f64 {
    value as f64
}

fn whole(value: f64) -> String {
    grouped(value.round() as u64)
}

fn key_figures(report: &FleetReport) -> Vec<KeyFigure> {
    let most = report.peaks.fleet_sessions;
    let is_well = report.faults.is_empty();
    vec![
        KeyFigure {
            label: "throughput",
            value: Cell::number("throughput", report.throughput, |rate| whole(rate) + "/s"),
            note: "of all members".to_owned(),
            tone: Tone::Notice,
        },
        KeyFigure {
            label: "sessions at most",
            value: Cell::number("peaks.fleet_sessions", most.map(count), whole),
            note: format!("of {}", report.budget.total.map_or("-".to_owned(), |it| it.to_string())),
            tone: if is_well { Tone::Good } else { Tone::Bad },
        },
    ]
}

fn members(report: &FleetReport) -> Table {
    let head = ["member", "floor after", "granted", "at most", "open", "at most"];
    let further = ["throughput", "p99", "errors", "refused", "end"];
    let mut table = Table::new(
        "What each member was granted and had open, in the middle and at most",
        &[&head[..], &further].concat(),
    );
    table.rows = report.members.iter().map(row).collect();
    table
}

fn row(member: &FleetMember) -> Vec<Cell> {
    let path = |field: &str| format!("members.{}.{field}", member.number - 1);
    let counted = |field: &str, value: usize| Cell::number(path(field), count(value), whole);
    let ended = match member.end {
        MemberEnd::Left => "left",
        MemberEnd::Killed => "killed",
        MemberEnd::Failed => "failed",
    };
    vec![
        Cell::text(member.number.to_string()),
        Cell::number(path("floor_after_seconds"), member.floor_after_seconds, |seconds| {
            format!("{seconds:.1} s")
        }),
        counted("granted.median", member.granted.median),
        counted("granted.most", member.granted.most),
        counted("open.median", member.open.median),
        counted("open.most", member.open.most),
        Cell::number(path("throughput"), member.throughput, |rate| whole(rate) + "/s"),
        Cell::number(path("response_p99"), member.response_p99, time),
        Cell::number(path("errors"), member.errors as f64, whole),
        Cell::number(path("refused"), member.refused as f64, whole),
        Cell::text(ended),
    ]
}

fn plots(report: &FleetReport) -> Vec<Plot> {
    let step = report.points.len().div_ceil(MOST_POINTS).max(1);
    let points: Vec<_> = report.points.iter().step_by(step).collect();
    let line = |of: &dyn Fn(&FleetPoint) -> Option<usize>| -> Vec<_> {
        let place = |point: &&FleetPoint| (point.at_seconds, of(point).map(count));
        points.iter().map(place).collect()
    };
    let member = |point: &FleetPoint, number: usize| point.members.get(number)?.clone();
    let colour = |number: usize| COLOURS[number % COLOURS.len()];
    let mut shares: Vec<_> = (0..report.members.len())
        .map(|number| {
            let granted =
                |point: &FleetPoint| Some(member(point, number).map_or(0, |member| member.granted));
            let label = format!("member {}", number + 1);
            Layer::new(label, colour(number), Shape::Area(line(&granted)))
        })
        .collect();
    shares.push(Layer::new(
        "sessions on the server",
        Colour::Grey,
        Shape::Line(line(&|point| point.fleet_sessions)),
    ));
    shares.push(Layer::new("budget", Colour::Red, Shape::Dashed(line(&|_| report.budget.total))));
    let open = (0..report.members.len()).map(|number| {
        let open = |point: &FleetPoint| member(point, number).map(|member| member.open);
        Layer::new(format!("member {}", number + 1), colour(number), Shape::Line(line(&open)))
    });
    let connections = || Axis::new("connections", Unit::Count, Spread::Linear);
    let plot = |name, title: &str, layers| Plot {
        name,
        title: title.to_owned(),
        description: report.summary.clone(),
        x: Axis::new("seconds", Unit::Plain, Spread::Linear),
        y: connections(),
        layers,
        marks: Vec::new(),
    };
    let plots = [
        plot("shares", "What each member was granted", shares),
        plot("open", "Connections that each member had open", open.collect()),
    ];
    plots.into_iter().filter(Plot::has_figures).collect()
}

#[cfg(test)]
mod tests {
    use pool_core::PoolConfig;

    use super::*;
    use crate::fleet::{
        Claims, FleetBudget, FleetCircumstances, Gone, Moment, Record, Said, Shown,
    };
    use crate::forms::{Form, printed};
    use crate::options::LoadOptions;
    use crate::report::{LoadReport, Outcome, Provenance};

    /// Two members, of which the second is killed after two seconds, under a server that shows `most`
    /// sessions of the fleet then.
    fn report(most: usize) -> FleetReport {
        let claims = Claims { total: Some(12), reserve: 2, floor: 1, most: 8, settles_within: 1.0 };
        let mut record = Record::new(claims);
        let state = Some("granted".to_owned());
        let moment = Moment { granted: 4, open: 3, operations: 50, state, ..Moment::default() };
        for member in 0..2 {
            record.join(0.0, 100 + member);
            record.said(0.5, member as usize, &Said::Now(moment.clone()).line());
        }
        for (at, of_fleet) in [(1.0, 6), (2.0, most)] {
            let shown = Shown { sessions: of_fleet + 1, of_fleet: Some(of_fleet) };
            record.show(shown);
            record.look(at, Some(shown));
        }
        record.gone(2.0, 1, Gone::Killed);
        record.look(3.0, None);
        record.gone(4.0, 0, Gone::Left);
        let circumstances = FleetCircumstances {
            provenance: Provenance::now(),
            system: "postgresql".to_owned(),
            database: Some("shop".to_owned()),
            seed: 7,
            fleet: "orders".to_owned(),
            workload: "bank".to_owned(),
            load: LoadReport::new(&LoadOptions::default()),
            tasks_each: Vec::new(),
            config: PoolConfig::default(),
            budget: FleetBudget {
                total: None,
                reserve: 2,
                source: "80 % of the server's".to_owned(),
                floor: 1,
                heartbeat_seconds: 5.0,
                lease_seconds: 15.0,
            },
        };
        FleetReport::new(circumstances, record.judged(), Outcome::Completed, 4.0)
    }

    #[test]
    fn a_row_is_a_member_at_a_point_and_who_is_gone_has_none() {
        let text = printed(&report(8), Form::Csv).expect("rows");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 1 + 2 + 2 + 1, "{text}");
        assert_eq!(lines[1], "1,1,granted,4,3,0,0,0,,50,6,7");
        assert_eq!(lines[5], "3,1,granted,4,3,0,0,0,,50,,");
    }

    #[test]
    fn the_plot_has_every_member_the_budget_and_what_the_server_showed() {
        let text = printed(&report(8), Form::Svg).expect("an image");
        for words in ["member 1", "member 2", "budget", "sessions on the server"] {
            assert!(text.contains(words), "{words} is not in {text}");
        }
    }

    #[test]
    fn text_and_suite_say_what_must_not_happen_and_did() {
        let fault = "the server showed 13 sessions of the fleet at once, which may have 12";
        for (most, is_fault) in [(12, false), (13, true)] {
            let report = report(most);
            assert_eq!(report.summary == fault, is_fault, "{report}");
            let suite = printed(&report, Form::Junit).expect("a suite");
            assert_eq!(suite.contains("<failure"), is_fault, "{suite}");
        }
        let text = report(12).to_string();
        for words in ["  killed", "12 connections (80 % of the server's)", "25/s of all"] {
            assert!(text.contains(words), "{words} is not in {text}");
        }
    }

    #[test]
    fn lines_have_each_point_and_then_the_rest() {
        let text = printed(&report(8), Form::Ndjson).expect("lines");
        let kinds: Vec<_> = text.lines().map(|line| line.split('"').nth(3)).collect();
        assert_eq!(kinds, [Some("point"), Some("point"), Some("point"), Some("fleet")]);
    }

    #[test]
    fn a_report_that_is_read_again_is_the_same() {
        let report = report(8);
        let text = printed(&report, Form::Json).expect("JSON");
        assert_eq!(serde_json::from_str::<FleetReport>(&text).expect("read"), report);
    }
}
