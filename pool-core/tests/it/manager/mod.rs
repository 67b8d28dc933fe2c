//! Named pools from one file. Here is what the tests of them stand on.

mod fuzz;
mod pools;
mod reconfigure;
mod routes;
mod sources;

use std::sync::Arc;

use pool_core::{
    ConnectionManager, Drivers, ManagerError, ManagerOptions, NamedSources, PoolConfig,
};
use pool_testkit::{FakeDriver, FakeServer, Sim};

/// Two pools of one driver and one of another.
pub(super) const FILE: &str = "\
[pool]
max_idle = 3
[pools.orders]
url = 'fake://app:hunter2@db/orders'
max_open = 10
[pools.users]
url = 'fake://app:hunter2@db/users'
preset = 'testing'
[pools.audit-log]
url = 'other://db/audit?pool_max_open=4'
";

pub(super) struct Rig {
    pub(super) sim: Sim,
    pub(super) fake: FakeServer,
    pub(super) other: FakeServer,
}

impl Rig {
    pub(super) fn new() -> Self {
        let sim = Sim::new(1);
        let (fake, other) = (FakeServer::new(sim.runtime()), FakeServer::new(sim.runtime()));
        Self { sim, fake, other }
    }

    pub(super) fn options(&self, sources: NamedSources) -> ManagerOptions {
        let fake = FakeDriver::new(&self.fake);
        // The same place, whatever its connections call themselves.
        let fake2 = FakeDriver::new(&self.other).called("renamed");
        let other = Arc::new(FakeDriver::new(&self.other));
        let moved = FakeDriver::of_database(&self.other, "moved");
        let drivers = Drivers::default()
            .register(&["fake", "fakes"], move |url| {
                Ok(match url {
                    _ if url.contains("@db2/") => fake2.clone(),
                    _ if url.ends_with("/moved") => moved.clone(),
                    _ => fake.clone(),
                })
            })
            .register(&["other"], move |_| Ok(Arc::clone(&other)));
        let runtime = Some(self.sim.runtime());
        ManagerOptions { drivers, sources, runtime, ..ManagerOptions::default() }
    }

    pub(super) fn manager(&self, file: &str) -> ConnectionManager {
        self.from(NamedSources::default().toml("pools.toml", file))
    }

    pub(super) fn from(&self, sources: NamedSources) -> ConnectionManager {
        ConnectionManager::new(self.options(sources)).expect("valid")
    }

    pub(super) fn problems(&self, sources: NamedSources) -> Vec<String> {
        match ConnectionManager::new(self.options(sources)) {
            Err(ManagerError::Config(error)) => {
                error.problems().iter().map(ToString::to_string).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The file, changed.
pub(super) fn changed(from: &str, to: &str) -> String {
    assert!(FILE.contains(from), "{from}");
    FILE.replace(from, to)
}

pub(super) fn config(manager: &ConnectionManager, pool: &str) -> PoolConfig {
    manager.control(pool).expect("there").config()
}
