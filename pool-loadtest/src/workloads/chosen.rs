//! A workload that was chosen when the program was started: one type for all of them.

use std::borrow::Cow;

use fastrand::Rng;
use pool_core::Pool;

use super::{Bank, Custom, LongTransactions, Mix, PointRead, TpcbLike};
use crate::database::Database;
use crate::workload::{Checked, Step, StepError, Workload, WorkloadError};

/// One of the workloads that come with the load tester.
#[derive(Debug)]
pub(crate) enum Chosen<D> {
    Bank(Bank<D>),
    PointRead(PointRead<D>),
    TpcbLike(TpcbLike<D>),
    Mix(Mix<D>),
    LongTransactions(LongTransactions<D>),
    Custom(Custom<D>),
}

/// Does the same with the workload, whichever it is.
macro_rules! each {
    ($chosen:expr, $workload:ident => $done:expr) => {
        match $chosen {
            Chosen::Bank($workload) => $done,
            Chosen::PointRead($workload) => $done,
            Chosen::TpcbLike($workload) => $done,
            Chosen::Mix($workload) => $done,
            Chosen::LongTransactions($workload) => $done,
            Chosen::Custom($workload) => $done,
        }
    };
}

impl<D: Database> Workload<D> for Chosen<D> {
    async fn prepare(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        each!(self, workload => workload.prepare(pool).await)
    }

    fn name(&self) -> Cow<'_, str> {
        each!(self, workload => workload.name())
    }

    fn kinds(&self) -> Vec<String> {
        each!(self, workload => workload.kinds())
    }

    fn draw(&self, rng: &mut Rng) -> usize {
        each!(self, workload => workload.draw(rng))
    }

    async fn step(&self, step: Step<'_, D>) -> Result<(), StepError> {
        each!(self, workload => workload.step(step).await)
    }

    async fn verify(&self, pool: &Pool<D>) -> Result<Checked, WorkloadError> {
        each!(self, workload => workload.verify(pool).await)
    }

    async fn clean_up(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        each!(self, workload => workload.clean_up(pool).await)
    }
}
