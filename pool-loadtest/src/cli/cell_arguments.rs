//! What `sweep` and `tune` are asked for both: the runs that they are made of, and how to print what
//! comes of them.

use std::time::Duration;

use clap::Args;

use super::arguments::{SettingsArguments, duration, seed};
use super::arrivals::LoadArguments;
use super::cells::CellLoad;
use super::output::{OutputArguments, Outputs};
use super::start::StartArguments;
use super::target::Target;
use super::workload::WorkloadArguments;
use crate::arrivals::ThinkTime;
use crate::forms::Form;

/// Tasks if nobody says how many.
const TASKS: u32 = 16;

/// The runs, and the report.
#[derive(Debug, Args)]
pub(crate) struct CellArguments {
    #[command(flatten)]
    pub(super) start: StartArguments,
    /// How long each run is, such as 2s; `tune` confirms a value with one that is twice as long.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    #[arg(allow_hyphen_values = true)]
    pub(super) duration: Duration,
    #[command(flatten)]
    workload: WorkloadArguments,
    #[command(flatten)]
    load: LoadArguments,
    #[command(flatten)]
    pub(crate) settings: SettingsArguments,
    /// Which random numbers the workload draws, and the order of a sweep's runs.
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = seed)]
    #[arg(allow_hyphen_values = true)]
    pub(super) seed: u64,
    #[command(flatten)]
    output: OutputArguments,
}

/// The same, read.
pub(super) struct CellSetup {
    /// The database, which objects to whatever else is wrong.
    pub(super) target: Target,
    pub(super) load: CellLoad,
    pub(super) outputs: Outputs,
}

impl CellArguments {
    /// Reads them, with arrivals at the `rate` of an objective that names one. What is wrong with them is
    /// the target's to say.
    pub(super) fn read(&self, rate: Option<f64>) -> CellSetup {
        let mut target = Target::read(&self.settings, |sources| sources);
        let (arrivals, problems) = match rate {
            Some(rate) => self.load.of_objective(rate),
            None => self.load.arrivals(TASKS, ThinkTime::None),
        };
        target.object(problems);
        let (workload, problems) = self.workload.read();
        target.object(problems);
        let (outputs, problems) = self.output.open(&Form::OF_SEVERAL_RUNS);
        target.object(problems);
        let load = CellLoad { workload, arrivals, warm_up: self.load.warm_up };
        CellSetup { target, load, outputs }
    }
}
