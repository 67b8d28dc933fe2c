//! What a search found, as numbers. The JSON form is [`TuneReport`].

use pool_core::{Metadata, PoolConfig};
use serde::{Deserialize, Serialize};

use crate::condition::Violation;
use crate::objective::Objective;
use crate::paste::PasteForms;
use crate::report::{LoadReport, Outcome, Provenance, Report, ReportKind, SCHEMA_VERSION};

use super::search::{Ask, Goal, Outcome as Tried, Search, Settled};
use super::words;

/// Of the best throughput, a run of which more fails is no candidate.
const FAILING: f64 = 0.01;

/// What a search for a setting found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TuneReport {
    /// Version of this form.
    pub schema_version: u32,
    /// What kind of report this is: `tune`.
    pub kind: ReportKind,
    /// Where it comes from.
    pub provenance: Provenance,
    /// The database system: `sqlite` ...
    pub system: String,
    /// The database's file or name, where there is one.
    pub database: Option<String>,
    /// How the search ended: by itself, or interrupted.
    pub outcome: Outcome,
    /// How long it took as a whole, in seconds.
    pub duration_seconds: f64,
    /// The seed of the workload's random numbers.
    pub seed: u64,
    /// What the work was, such as `bank`.
    pub workload: String,
    /// What kind of load each run was; `None` if none came to an end.
    pub load: Option<LoadReport>,
    /// The pool's settings but for the one that is searched for.
    #[cfg_attr(feature = "cli", schemars(with = "serde_json::Map<String, serde_json::Value>"))]
    pub config: PoolConfig,
    /// The field that is searched for.
    pub field: String,
    /// The largest value that might be tried.
    pub most: usize,
    /// What is to be achieved, such as `response.p99<20ms at 2000/s` or `best throughput`.
    pub objective: String,
    /// The runs, in their order.
    pub steps: Vec<TuneStep>,
    /// What came of it.
    pub conclusion: TuneConclusion,
    /// Why, in words.
    pub summary: String,
    /// What to set; only if a longer run has confirmed it.
    pub recommendation: Option<TuneRecommendation>,
    /// The value with the best throughput that was seen.
    pub best_seen: Option<usize>,
    /// What else is to be known, such as a table that could not be dropped.
    pub warnings: Vec<String>,
}

/// What came of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TuneConclusion {
    /// A value that is enough.
    Found,
    /// No value up to the largest is enough.
    Missed,
    /// A run said nothing, so the search ended without a result.
    Inconclusive,
}

/// One run of a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TuneStep {
    /// The value that was tried.
    pub value: usize,
    /// Whether it was a longer run, to be sure of the value.
    pub verifies: bool,
    /// How long it lasted, in seconds.
    pub seconds: f64,
    /// Operations per second.
    pub throughput: f64,
    /// Median response in microseconds.
    pub response_p50: Option<f64>,
    /// 99 % took no longer.
    pub response_p99: Option<f64>,
    /// Operations that failed.
    pub errors: u64,
    /// What of the objective it did not meet; for the best throughput, that too much failed.
    pub violations: Vec<Violation>,
}

/// What to set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TuneRecommendation {
    /// The field of the pool's settings.
    pub field: String,
    /// Its value.
    pub value: usize,
    /// How sure it is.
    pub confidence: Confidence,
    /// What makes it so sure, in words.
    pub reason: String,
    /// Ready to paste.
    pub paste: PasteForms,
}

/// How sure a recommendation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Confidence {
    /// The longer run confirmed it, and no value between it and one that is too small is left out by
    /// much.
    High,
    /// The longer run confirmed it, but a value in between that was not tried may be enough too.
    Medium,
    /// A longer run disappointed before one confirmed it, or runs with the same value differed by
    /// more than they should.
    Low,
}

impl Confidence {
    /// The name in texts.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// What is known of a search beside its runs.
#[derive(Clone, Debug)]
pub(crate) struct TuneCircumstances {
    pub(crate) provenance: Provenance,
    pub(crate) metadata: Metadata,
    pub(crate) database: Option<String>,
    pub(crate) seed: u64,
    pub(crate) workload: String,
    pub(crate) config: PoolConfig,
    pub(crate) field: &'static str,
    pub(crate) most: usize,
}

impl TuneReport {
    /// A search that has not begun.
    pub(crate) fn begin(objective: &Objective, circumstances: &TuneCircumstances) -> Self {
        let it = circumstances.clone();
        Self {
            schema_version: SCHEMA_VERSION,
            kind: ReportKind::Tune,
            provenance: it.provenance,
            system: it.metadata.system_name.into_owned(),
            database: it.database,
            outcome: Outcome::Running,
            duration_seconds: 0.0,
            seed: it.seed,
            workload: it.workload,
            load: None,
            config: it.config,
            field: it.field.to_owned(),
            most: it.most,
            objective: objective.to_string(),
            steps: Vec::new(),
            conclusion: TuneConclusion::Inconclusive,
            summary: String::new(),
            recommendation: None,
            best_seen: None,
            warnings: Vec::new(),
        }
    }

    /// Adds a run; what it means for the search.
    pub(crate) fn add(&mut self, ask: Ask, objective: &Objective, run: &Report) -> Tried {
        let violations = if objective.is_best_throughput() {
            let failing = format!("errors<={}%", FAILING * 100.0);
            let failing: Objective = failing.parse().expect("bug: a constant");
            failing.check(run)
        } else {
            objective.check(run)
        };
        let tried = Tried { throughput: run.throughput, met: violations.is_empty() };
        self.load.get_or_insert_with(|| run.load.clone());
        for warning in &run.warnings {
            if self.warnings.len() < 3 && !self.warnings.contains(warning) {
                self.warnings.push(warning.clone());
            }
        }
        self.steps.push(TuneStep {
            value: ask.value,
            verifies: ask.verifies,
            seconds: run.duration_seconds,
            throughput: run.throughput,
            response_p50: run.response.p50,
            response_p99: run.response.p99,
            errors: run.errors,
            violations,
        });
        tried
    }

    /// Ends a search that came to its end.
    pub(crate) fn settle(
        &mut self,
        search: &Search,
        settled: Settled,
        goal: Goal,
        metadata: &Metadata,
    ) {
        self.outcome = Outcome::Completed;
        self.best_seen = search.best();
        match settled {
            Settled::Found { value, at_once } => {
                let below = search.below(value);
                let sure = words::Sure { at_once, disagreement: search.disagreement(value) };
                self.conclusion = TuneConclusion::Found;
                self.summary = words::found(self, search, value, goal);
                self.recommendation = Some(TuneRecommendation {
                    field: self.field.clone(),
                    value,
                    confidence: sure.confidence(value, below),
                    reason: sure.reason(self, value, below),
                    paste: PasteForms::new(&self.field, value, metadata),
                });
            }
            Settled::Unsteady { best } => {
                self.conclusion = TuneConclusion::Inconclusive;
                self.summary = words::unsteady(self, search, goal, best);
            }
            Settled::Missed { best } => {
                self.conclusion = TuneConclusion::Missed;
                self.summary = words::missed(self, best);
            }
        }
    }

    /// Ends a search that a run put an end to, for whatever reason.
    pub(crate) fn give_up(&mut self, outcome: Outcome, search: &Search, why: String) {
        self.outcome = outcome;
        self.best_seen = search.best();
        self.conclusion = TuneConclusion::Inconclusive;
        self.summary = why;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use crate::tune::search::Next;

    fn circumstances() -> TuneCircumstances {
        let sample = samples::report();
        let mut metadata = Metadata::new("sqlite");
        metadata.namespace = Some("bank.db".to_owned());
        TuneCircumstances {
            provenance: sample.provenance,
            metadata,
            database: Some("bank.db".to_owned()),
            seed: 1,
            workload: "bank".to_owned(),
            config: PoolConfig::default(),
            field: "max_open",
            most: 32,
        }
    }

    /// Searches with runs of which each value's p99 in milliseconds and throughput are these.
    fn tuned(objective: &str, run: impl Fn(Ask) -> (f64, f64)) -> TuneReport {
        let objective: Objective = objective.parse().expect("understood");
        let goal = Goal::of(&objective);
        let (circumstances, mut search) = (circumstances(), Search::new(goal, 32));
        let mut report = TuneReport::begin(&objective, &circumstances);
        loop {
            match search.next() {
                Next::Ask(ask) => {
                    let (p99, throughput) = run(ask);
                    let mut sample = samples::report();
                    (sample.response.p99, sample.throughput) = (Some(p99 * 1e3), throughput);
                    sample.errors = 0;
                    let tried = report.add(ask, &objective, &sample);
                    search.tell(ask, tried);
                }
                Next::Done(settled) => {
                    report.settle(&search, settled, goal, &circumstances.metadata);
                    return report;
                }
            }
        }
    }

    #[test]
    fn what_is_recommended_meets_the_objective_and_is_ready_to_paste() {
        let report = tuned("response.p99<20ms", |ask| (60.0 / ask.value as f64, 1_000.0));
        let found = report.recommendation.as_ref().expect("found");
        assert_eq!((found.value, found.confidence), (4, Confidence::High));
        assert_eq!(found.paste.toml, "[pool]\nmax_open = 4\n");
        assert_eq!(found.paste.url, "sqlite:bank.db?pool_max_open=4");
        let last = report.steps.last().expect("ran");
        assert!(last.verifies && last.value == 4 && last.violations.is_empty(), "{last:?}");
        assert!(report.summary.contains("max_open = 4 is the smallest"), "{}", report.summary);
        assert!(report.summary.contains("max_open = 3 missed response.p99<20ms: it was 20.0 ms"));
    }

    #[test]
    fn nothing_is_recommended_that_misses_the_objective() {
        let report = tuned("response.p99<1ms", |ask| (5.0, 100.0 * ask.value as f64));
        assert_eq!((report.conclusion, &report.recommendation), (TuneConclusion::Missed, &None));
        assert_eq!(report.best_seen, Some(32));
        for words in ["not even max_open = 32", "response.p99<1ms: it was 5.00 ms"] {
            assert!(report.summary.contains(words), "{words} not in {}", report.summary);
        }
    }

    #[test]
    fn a_search_that_gave_up_says_nothing_of_values_that_it_did_not_try() {
        let report = tuned("response.p99<20ms", |ask| {
            (if ask.verifies { 25.0 } else { 60.0 / ask.value as f64 }, 1_000.0)
        });
        assert_eq!(report.conclusion, TuneConclusion::Inconclusive);
        assert_eq!(report.recommendation, None);
        let summary = &report.summary;
        assert!(summary.starts_with("longer runs missed what shorter ones had met"), "{summary}");
        assert!(summary.contains("response.p99<20ms: it was 25.0 ms"), "{summary}");
        assert!(!summary.contains("max_open = 32"), "it was not tried: {summary}");
    }

    #[test]
    fn operations_that_fail_with_every_value_are_told_from_no_operations() {
        let objective = Objective::best_throughput();
        let circumstances = TuneCircumstances { most: 2, ..circumstances() };
        let mut search = Search::new(Goal::BestThroughput, 2);
        let mut report = TuneReport::begin(&objective, &circumstances);
        while let Next::Ask(ask) = search.next() {
            let tried = report.add(ask, &objective, &Report { errors: 5_000, ..samples::report() });
            search.tell(ask, tried);
        }
        let Next::Done(settled) = search.next() else { panic!("it goes on") };
        report.settle(&search, settled, Goal::BestThroughput, &circumstances.metadata);
        assert_eq!(report.conclusion, TuneConclusion::Missed);
        let expected = "too much failed with every value, with max_open = 2 too (errors<=1%: it was \
                        20.00 %)";
        assert_eq!(report.summary, expected);
    }

    #[test]
    fn a_table_of_a_search_fits_a_terminal() {
        let objective = "transfer.response.p99_9<1500us, response.p99<1ms";
        let text = tuned(objective, |ask| (50.0 / ask.value as f64, 1_000.0)).to_string();
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        assert!(text.contains("missed transfer.response.p99_9<1ms 500us"), "{text}");
    }

    #[test]
    fn a_longer_run_that_disappoints_makes_the_confidence_low() {
        let report = tuned("response.p99<20ms", |ask| {
            let longer = if ask.verifies { 25.0 } else { 0.0 };
            (60.0 / ask.value as f64 + longer / ask.value as f64, 1_000.0)
        });
        let found = report.recommendation.expect("found");
        assert_eq!((found.value, found.confidence), (8, Confidence::Low));
        assert!(found.reason.contains("disappointed"), "{}", found.reason);
    }

    #[test]
    fn runs_of_the_same_value_that_differ_widely_make_the_confidence_low() {
        let report = tuned("response.p99<20ms", |ask| {
            (60.0 / ask.value as f64, if ask.verifies { 500.0 } else { 1_000.0 })
        });
        let found = report.recommendation.expect("found");
        assert_eq!((found.value, found.confidence), (4, Confidence::Low));
        assert!(found.reason.contains("runs with it differ by 50 %"), "{}", found.reason);
    }

    #[test]
    fn the_best_throughput_is_said_to_be_so() {
        let report = tuned("best throughput", |ask| (5.0, 1_000.0 * ask.value.min(5) as f64));
        let found = report.recommendation.as_ref().expect("found");
        assert_eq!(found.value, 6, "between 4 and 8");
        assert!(report.summary.contains("max_open = 6 is enough: 5 000/s"), "{}", report.summary);
        assert!(
            found.reason.contains("too small (it brings 80 % of the throughput of 6)"),
            "{}",
            found.reason
        );
        let text = report.to_string();
        for words in
            ["[pool]", "max_open = 6", "POOL_MAX_OPEN=6", "?pool_max_open=6", "PoolConfig {"]
        {
            assert!(text.contains(words), "{words} not in {text}");
        }
    }

    #[test]
    fn the_report_survives_the_way_through_json() {
        let report = tuned("best throughput", |ask| (5.0, 1_000.0 * ask.value.min(5) as f64));
        let json = serde_json::to_string(&report).expect("written");
        assert_eq!(serde_json::from_str::<TuneReport>(&json).expect("read"), report);
        assert!(json.contains("\"kind\":\"tune\""), "{json}");
    }
}
