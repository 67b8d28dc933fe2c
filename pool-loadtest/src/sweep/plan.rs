//! What a sweep runs, and in which order.

use std::slice::from_ref;
use std::sync::Arc;

use fastrand::Rng;
use pool_core::{ConfigError, Driver, Origin, PoolConfig, Problem};

use super::axis::Axis;

/// Most cells of a sweep: at a second each, and once, they take a quarter of an hour.
pub(crate) const MOST_CELLS: usize = 1_000;

/// The cells of a sweep: every value of the first setting with every value of the second.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) axes: Vec<Axis>,
    /// How often each cell is run.
    pub(crate) repeats: u32,
    /// Of the order.
    pub(crate) seed: u64,
}

/// One run of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Which of the cells.
    pub(crate) cell: usize,
    /// The how manieth time it is, from 1.
    pub(crate) repeat: u32,
}

impl Plan {
    /// Reads one or two settings with their values.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them.
    pub(crate) fn read(settings: &[String], repeats: u32, seed: u64) -> Result<Self, ConfigError> {
        let (mut axes, mut problems): (Vec<Axis>, _) = (Vec::new(), Vec::new());
        for setting in settings {
            match setting.parse::<Axis>() {
                Ok(read) if axes.iter().any(|known| known.field == read.field) => problems
                    .push(Problem::invalid("sweep", read.field, "given twice", "each field once")),
                Ok(read) => axes.push(read),
                Err(error) => problems.extend(error.problems().iter().cloned()),
            }
        }
        if settings.len() > 2 {
            let (given, allowed) = (settings.len().to_string(), "one or two settings");
            problems.push(Problem::invalid("sweep", given, "too many settings", allowed));
        }
        let plan = Self { axes, repeats, seed };
        let cells: usize = plan.axes.iter().map(|axis| axis.values.len()).product();
        if cells > MOST_CELLS {
            let allowed = format!("at most {MOST_CELLS}");
            problems.push(Problem::invalid("cells", cells.to_string(), "too many", allowed));
        }
        ConfigError::from_problems(problems)?;
        Ok(plan)
    }

    /// The values of each cell, the second setting's changing faster.
    pub(crate) fn cells(&self) -> Vec<Vec<String>> {
        self.axes.iter().fold(vec![Vec::new()], |cells, axis| {
            let with = |cell: &Vec<String>| {
                let cell = cell.clone();
                axis.values.iter().map(move |value| [&cell[..], from_ref(value)].concat())
            };
            cells.iter().flat_map(with).collect()
        })
    }

    /// Every run in the order in which to make them: each repeat is a random permutation of all
    /// cells, so that a database that gets slower or faster meanwhile favours none of them.
    pub(crate) fn turns(&self) -> Vec<Turn> {
        let (mut rng, cells) = (Rng::with_seed(self.seed), self.cells().len());
        let block = |repeat| {
            let mut block: Vec<_> = (0..cells).map(|cell| Turn { cell, repeat }).collect();
            rng.shuffle(&mut block);
            block
        };
        (1..=self.repeats).flat_map(block).collect()
    }

    /// The settings of each cell, from those of all that is not swept.
    ///
    /// # Errors
    ///
    /// Whatever the pool or its driver objects to, of every cell.
    pub(crate) fn configs<D: Driver>(
        &self,
        base: &PoolConfig,
        driver: &D,
    ) -> Result<Vec<PoolConfig>, ConfigError> {
        let (mut configs, mut problems) = (Vec::new(), Vec::new());
        for values in self.cells() {
            let mut config = base.clone();
            for (axis, value) in self.axes.iter().zip(&values) {
                config.set(axis.field, value).expect("bug: it was understood before");
            }
            let objections = || ConfigError::from_problems(driver.objections(&config));
            if let Err(error) = config.validate().and_then(|()| objections()) {
                let origin = Origin::Code { name: Arc::from(self.name(&values)) };
                problems.extend(error.problems().iter().map(|it| it.clone().at(origin.clone())));
            }
            configs.push(config);
        }
        ConfigError::from_problems(problems)?;
        Ok(configs)
    }

    /// What messages call a cell: `max_open=8, max_idle=2`.
    pub(crate) fn name(&self, values: &[String]) -> String {
        let named = self.axes.iter().zip(values);
        named.map(|(axis, value)| format!("{}={value}", axis.field)).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use pool_sqlite::{SqliteDriver, SqliteOptions};

    use super::*;

    fn plan(settings: &[&str], repeats: u32) -> Plan {
        let settings: Vec<_> = settings.iter().map(|&setting| setting.to_owned()).collect();
        Plan::read(&settings, repeats, 1).expect("understood")
    }

    #[test]
    fn two_settings_make_a_grid() {
        let plan = plan(&["max_open=4,8", "max_idle=0,2"], 1);
        let cells = plan.cells();
        assert_eq!(cells, [["4", "0"], ["4", "2"], ["8", "0"], ["8", "2"]]);
        assert_eq!(plan.name(&cells[1]), "max_open=4, max_idle=2");
    }

    #[test]
    fn each_repeat_runs_every_cell_once_in_an_order_of_its_own() {
        let plan = plan(&["max_open=1..128"], 3);
        let turns = plan.turns();
        let blocks: Vec<Vec<_>> =
            turns.chunks(8).map(|block| block.iter().map(|turn| turn.cell).collect()).collect();
        for (block, repeat) in turns.chunks(8).zip(1..) {
            let cells: BTreeSet<_> = block.iter().map(|turn| turn.cell).collect();
            assert_eq!(cells, (0..8).collect());
            assert!(block.iter().all(|turn| turn.repeat == repeat), "{block:?}");
        }
        assert!(blocks[0] != blocks[1] && blocks[1] != blocks[2], "{blocks:?}");
        assert_eq!(plan.turns(), turns, "the same seed");
        assert_ne!(Plan { seed: 2, ..plan }.turns(), turns);
    }

    #[test]
    fn every_problem_of_every_setting_is_told_at_once() {
        let settings = ["max_open=8..1", "max_opn=2", "max_idle=1,2"].map(str::to_owned);
        let error = Plan::read(&settings, 1, 1).expect_err("wrong").to_string();
        for words in ["it is empty", "did you mean \"max_open\"?", "one or two settings"] {
            assert!(error.contains(words), "{words} not in {error}");
        }
        let twice = ["max_open=1", "max_open=2"].map(str::to_owned);
        let error = Plan::read(&twice, 1, 1).expect_err("twice").to_string();
        assert!(error.contains("given twice"), "{error}");
        let many = ["max_open=1..50 +1", "max_idle=1..50 +1"].map(str::to_owned);
        let error = Plan::read(&many, 1, 1).expect_err("too many").to_string();
        assert!(error.contains("cells = \"2500\": too many"), "{error}");
    }

    #[test]
    fn what_pool_or_driver_object_to_is_told_of_every_cell() {
        let memory = SqliteDriver::new(SqliteOptions::private_memory());
        let base = PoolConfig { max_lifetime: None, max_idle_time: None, ..PoolConfig::default() };
        let plan = plan(&["max_open=0,1,2,3"], 1);
        let error = plan.configs(&base, &memory).expect_err("refused").to_string();
        for cell in ["max_open=0: ", "max_open=2: ", "max_open=3: "] {
            assert!(error.contains(cell), "{cell} not in {error}");
        }
        assert!(!error.contains("max_open=1: "), "{error}");
        let configs = super::tests::plan(&["max_open=1"], 1).configs(&base, &memory);
        assert_eq!(configs.map(|configs| configs.len()), Ok(1));
    }
}
