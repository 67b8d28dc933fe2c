//! `--scenario` beside `--start`: what they mean for a run, and what goes against them.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use humantime::format_duration;
use pool_core::{Driver, PoolConfig, Problem, Sources};

use super::arguments::RunArguments;
use super::misfortune::Planned;
use super::plan::{GONE, is_fleeting};
use super::start::{OwnSetup, Product, StartArguments};
use crate::arrivals::{Arrivals, ThinkTime};
use crate::change::Change;
use crate::load::Progress;
use crate::options::LoadOptions;
use crate::report::Report;
use crate::scenario::{ALL, Notes, Scenario};

/// How long a run takes if nobody says so.
const DURATION: Duration = Duration::from_secs(10);
/// How many tasks it has.
const TASKS: u32 = 16;

const SCENARIO: &str = "Run a scenario, such as spike or leak; `scenarios` lists them";

/// What a run is staged with.
#[derive(Debug, Args)]
pub(crate) struct StageArguments {
    #[arg(long, value_name = "NAME", help = SCENARIO, value_parser = scenario)]
    pub(crate) scenario: Option<&'static Scenario>,
    #[command(flatten)]
    pub(crate) start: StartArguments,
}

/// Reads the name of a scenario.
pub(crate) fn scenario(name: &str) -> Result<&'static Scenario, String> {
    Scenario::named(name).ok_or_else(|| {
        let names: Vec<_> = ALL.iter().map(|scenario| scenario.name).collect();
        let near = pool_core::nearest(name, names.iter().copied());
        let hint = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
        format!("allowed: {}{hint}", names.join(", "))
    })
}

/// What a run is staged with.
pub(super) struct Stage {
    pub(super) scenario: Option<&'static Scenario>,
    pub(super) start: Option<Product>,
    pub(super) duration: Duration,
    pub(super) arrivals: Arrivals,
    pub(super) warm_up: Duration,
    pub(super) notes: Arc<Notes>,
}

impl Stage {
    /// Reads it, and says what goes against it.
    pub(super) fn read(arguments: &RunArguments) -> (Self, Vec<Problem>) {
        let StageArguments { scenario, start: StartArguments { start } } = arguments.stage;
        let duration = scenario.map_or(DURATION, |scenario| scenario.duration);
        let tasks = scenario.map_or(TASKS, |scenario| scenario.tasks);
        let think_time = scenario.map_or(ThinkTime::None, |scenario| scenario.think_time);
        let duration = arguments.duration.unwrap_or(duration);
        let (asked, mut problems) = arguments.load.arrivals(tasks, think_time);
        let own = scenario.and_then(|scenario| scenario.schedule_in(duration));
        let stage = Self {
            scenario,
            start,
            duration,
            arrivals: own.map_or(asked, Arrivals::open),
            warm_up: arguments.load.warm_up,
            notes: Arc::new(Notes::of(duration)),
        };
        problems.extend(scenario.iter().flat_map(|it| stage.problems(it, arguments)));
        (stage, problems)
    }

    fn problems(&self, scenario: &Scenario, arguments: &RunArguments) -> Vec<Problem> {
        let Scenario { name, shortest, .. } = scenario;
        let mut problems = Vec::new();
        if scenario.needs_server() && self.start.is_none() {
            let why = "harms the server, so it has one of its own";
            problems.push(Problem::invalid(
                "--scenario",
                *name,
                why,
                "with --start postgres, --start mariadb or --start mysql",
            ));
        }
        if self.duration < *shortest {
            let given = format_duration(self.duration).to_string();
            let why = format!("too short for the scenario {name}");
            let allowed = format!("{} or more", format_duration(*shortest));
            problems.push(Problem::invalid("--duration", &given, why, allowed));
        }
        if let Some(argument) = arguments.load.said().filter(|_| !scenario.rates.is_empty()) {
            let why = format!("the scenario {name} has arrivals of its own");
            let allowed = format!("one of --scenario and {argument}");
            problems.push(Problem::invalid(argument, "", why, allowed));
        }
        if scenario.is_cold && !self.warm_up.is_zero() {
            let given = format_duration(self.warm_up).to_string();
            let why = format!("the scenario {name} is about a pool that is not warm");
            problems.push(Problem::invalid(
                "--warm-up",
                &given,
                why,
                "one of --scenario and --warm-up",
            ));
        }
        if !scenario.changes.is_empty() && !arguments.at.is_empty() {
            let why = format!("the scenario {name} makes changes of its own");
            let allowed = "one of --scenario and --at";
            problems.push(Problem::invalid("--at", arguments.at.join(" "), why, allowed));
        }
        problems
    }

    /// What goes against the scenario with the driver's database: that it closes every connection, and
    /// the database is gone with the last one.
    pub(super) fn check<D: Driver>(&self, config: &PoolConfig, driver: &D) -> Option<Problem> {
        let scenario = self.scenario.filter(|it| it.is_cold && is_fleeting(config, driver))?;
        let [why, allowed] = GONE;
        Some(Problem::invalid("--scenario", scenario.name, why, allowed))
    }

    /// What an option comes to that nobody has set, and what says so.
    pub(super) fn chosen(&self, option: &str) -> Option<(String, String)> {
        let value = match option {
            "duration" => format_duration(self.duration).to_string(),
            "tasks" => match self.arrivals {
                Arrivals::Closed { tasks, .. } => tasks.to_string(),
                Arrivals::Open { .. } => return None,
            },
            _ => return None,
        };
        let default = || "default".to_owned();
        let origin = self.scenario.map_or_else(default, |it| format!("scenario {}", it.name));
        Some((value, origin))
    }

    /// Adds what the scenario sets, and what is known of the server before it is there.
    pub(super) fn settle(&self, mut sources: Sources) -> Sources {
        if let Some(scenario) = self.scenario {
            sources = settings(sources, scenario);
        }
        match self.start {
            Some(product) => sources.code("--start", "url", product.url()),
            None => sources,
        }
    }

    /// What is done to the pool: what the scenario does, or else what is asked for.
    pub(super) fn changes(&self, asked: Vec<Change>) -> Vec<Change> {
        let own = self.scenario.map(|scenario| scenario.changes_in(self.duration));
        own.filter(|changes| !changes.is_empty()).unwrap_or(asked)
    }

    /// What the engine is told.
    pub(super) fn options(&self, seed: u64, changes: Vec<Change>) -> LoadOptions {
        let mut options = LoadOptions {
            arrivals: self.arrivals.clone(),
            warm_up: self.warm_up,
            duration: self.duration,
            seed,
            changes,
            ..LoadOptions::default()
        };
        if self.scenario.is_some_and(|scenario| scenario.is_cold) {
            options.baseline = Duration::ZERO;
        }
        options
    }

    /// The server of the run's own.
    pub(super) fn own(&self) -> Option<OwnSetup> {
        let fault = self.planned().map(|planned| planned.fault);
        self.start.map(|product| OwnSetup { product, fault })
    }

    /// What will befall the server.
    pub(super) fn planned(&self) -> Option<Planned> {
        let misfortune = self.scenario?.misfortune?;
        let at = |share| self.duration.mul_f64(share);
        let (from, until) = (at(misfortune.from), at(misfortune.until));
        Some(Planned { fault: misfortune.kind, from, until })
    }

    /// The load is so far.
    pub(super) fn tell(&self, progress: &Progress) {
        if self.scenario.is_none() || progress.warm_up_left.is_some() {
            return;
        }
        let now = std::time::Instant::now();
        self.notes.pulse.begin(now.checked_sub(progress.elapsed).unwrap_or(now));
        let mut memory =
            self.notes.memory.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        memory.look();
    }

    /// Adds to a report what the scenario is called.
    pub(super) fn name(&self, report: &mut Report) {
        report.scenario = self.scenario.map(|scenario| scenario.name.to_owned());
    }

    /// Adds to the report what the scenario was to show.
    pub(super) fn conclude(&self, report: &mut Report) {
        self.name(report);
        if let Some(scenario) = self.scenario {
            report.aftermath = Some(scenario.aftermath(report, &self.notes));
        }
    }

    /// Whether that most operations fail is what the run is about.
    pub(super) fn expects_errors(&self) -> bool {
        self.scenario.is_some_and(|scenario| scenario.expects_errors)
    }
}

/// Adds what a scenario sets.
pub(super) fn settings(sources: Sources, scenario: &Scenario) -> Sources {
    let name = format!("scenario {}", scenario.name);
    let settings = scenario.settings.iter();
    settings.fold(sources, |sources, (field, value)| sources.fallback(&name, field, value))
}
