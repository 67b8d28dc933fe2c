//! `pool-loadtest fleet`: processes that share one server.
//!
//! The process that is asked for a fleet starts this program once more for each member, told on its
//! standard input what to do, and hears on its standard output how it is. A member leaves when its
//! input ends, so also when whoever started it is gone.

mod arguments;
mod course;
mod crew;
mod member;
mod watch;

use pool_core::{ConfigError, FleetName, Pool, PoolConfig, Problem, Resolved};

pub(super) use self::arguments::{ABOUT, FleetArguments};
use self::course::Course;
pub(super) use self::member::{MEMBER, member};
use super::Failure;
use super::on_database::{self, Place, Work};
use super::output::Outputs;
use super::run::{CLOSE, made, usage};
use super::target::Target;
use super::workload::Plan;
use crate::arrivals::{Arrivals, ThinkTime};
use crate::database::Database;
use crate::fleet::FleetCircumstances;
use crate::forms::Form;
use crate::options::LoadOptions;
use crate::report::{LoadReport, Provenance};
use crate::workload::Workload as _;

/// Tasks of each member, if nobody says how many.
const TASKS: u32 = 16;

/// Runs a fleet and prints what became of it.
///
/// # Errors
///
/// A [`Failure`], after the report was printed if there is one.
pub(super) fn fleet(arguments: &FleetArguments) -> Result<(), Failure> {
    let (fleet, mut target) = Fleet::read(arguments);
    let own = arguments.start.calm();
    if own.is_none() && !target.names_url() {
        let allowed = "the URL of a server, such as postgres://USER:PASSWORD@HOST/DATABASE, or \
                       --start postgres";
        target.object(vec![Problem::invalid("--url", "", "a fleet shares a server", allowed)]);
    }
    on_database::run(target, own, fleet)
}

/// What was asked for, all of it understood.
struct Fleet<'a> {
    arguments: &'a FleetArguments,
    name: FleetName,
    workload: Plan,
    arrivals: Arrivals,
    outputs: Outputs,
}

impl<'a> Fleet<'a> {
    /// Reads it. What is wrong with it is the target's to say.
    fn read(arguments: &'a FleetArguments) -> (Self, Target) {
        let mut target = Target::read(&arguments.settings, |sources| sources);
        let (workload, problems) = arguments.workload.read();
        target.object(problems);
        let (arrivals, problems) = arguments.load.arrivals(TASKS, ThinkTime::None);
        target.object(problems);
        let (outputs, problems) = arguments.output.open(&Form::OF_SEVERAL_RUNS);
        target.object(problems);
        target.object(arguments.contradictions());
        let name = FleetName::new(&*arguments.fleet).unwrap_or_else(|error| {
            let allowed = "1 to 32 letters, digits, `_` and `-`";
            target.object(vec![Problem::invalid("--fleet", "", error.to_string(), allowed)]);
            FleetName::new("loadtest").expect("bug: it is allowed")
        });
        (Self { arguments, name, workload, arrivals, outputs }, target)
    }

    /// When a member wants operations, by its place among the members.
    fn arrivals_of(&self, member: usize) -> Arrivals {
        let each = &self.arguments.tasks_each;
        match (&self.arrivals, each.get(member % each.len().max(1))) {
            (Arrivals::Closed { think_time, .. }, Some(tasks)) => {
                Arrivals::Closed { tasks: *tasks as usize, think_time: *think_time }
            }
            (arrivals, _) => arrivals.clone(),
        }
    }
}

impl Work for Fleet<'_> {
    fn check<D: Database + Clone>(&self, driver: &D, config: &PoolConfig) -> Result<(), Failure> {
        made::<D>(&self.workload)?;
        let mut problems = Vec::new();
        if !driver.capabilities().set().leases {
            let system = driver.metadata().system_name;
            let why = format!("{system} keeps no ledger of who may have how many connections");
            let allowed = "a server whose connections can be shared, such as PostgreSQL";
            problems.push(Problem::invalid("--url", "", why, allowed));
        }
        if self.arguments.floor > config.max_open {
            let (floor, most) = (self.arguments.floor.to_string(), config.max_open);
            let why = format!("each member's pool may have {most} connections at most (max_open)");
            problems.push(Problem::invalid("--floor", floor, why, format!("1 to {most}")));
        }
        ConfigError::from_problems(problems).map_err(usage)
    }

    async fn on<D: Database + Clone>(
        self,
        place: &Place,
        driver: D,
        resolved: Resolved,
    ) -> Result<(), Failure> {
        let (system, config) = (driver.metadata().system_name, resolved.config());
        let arguments = self.arguments;
        let options = LoadOptions {
            arrivals: self.arrivals.clone(),
            warm_up: arguments.load.warm_up,
            ..LoadOptions::default()
        };
        let circumstances = FleetCircumstances {
            provenance: Provenance::now(),
            system: system.into_owned(),
            database: place.name().or_else(|| driver.metadata().namespace),
            seed: arguments.seed,
            fleet: self.name.to_string(),
            workload: made::<D>(&self.workload)?.name().into_owned(),
            load: LoadReport::new(&options),
            tasks_each: arguments.tasks_each.clone(),
            config: config.clone(),
            budget: arguments.in_report(),
        };
        let most = config.max_open;
        // Its server is asked on connections beside it; none is acquired.
        let outside = Pool::new(driver, PoolConfig { min_idle: 0, ..config.clone() });
        let outside = outside.map_err(|error| Failure::Run(error.into()))?;
        let course = Course::new(self, place, outside.control(), most);
        let done = course.run(circumstances).await;
        // Nobody has a connection of it.
        let _ = outside.close(CLOSE).await;
        done
    }
}
