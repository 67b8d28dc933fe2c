//! Which pool reads and writes go to.

use std::sync::Arc;
use std::time::Duration;

use pool_core::{Circuit, Pool, PoolConfig, PoolOptions, ReplicationLag, Role};
use pool_health::{
    Check, Health, HealthOptions, HealthState, LagBelow, Probes, RouteError, Router, RouterOptions,
};
use pool_testkit::{Answer, Call, FakeDriver, FakeServer, Sim};

use crate::rig::SEC;

struct Cluster {
    sim: Sim,
    servers: Vec<FakeServer>,
    pools: Vec<Pool<FakeDriver>>,
    router: Arc<Router<FakeDriver>>,
}

impl Cluster {
    /// Servers by these names, of which the first takes writes and the others replicate it.
    fn new(names: &[&str]) -> Self {
        Self::checked(names, Vec::new())
    }

    /// The same with checks of the user's own.
    fn checked(names: &[&str], checks: Vec<Arc<dyn Check>>) -> Self {
        let sim = Sim::new(1);
        let servers: Vec<_> = names.iter().map(|_| FakeServer::new(sim.runtime())).collect();
        let pool = |(name, server): (&&str, &FakeServer)| {
            let config = PoolConfig { max_open: 4, ..PoolConfig::default() };
            let name = Some((*name).into());
            let options = PoolOptions { runtime: Some(sim.runtime()), name, ..config.into() };
            Pool::new(FakeDriver::new(server), options).expect("valid")
        };
        let pools: Vec<_> = names.iter().zip(&servers).map(pool).collect();
        let mut options = RouterOptions::default();
        options.health = HealthOptions { runtime: Some(sim.runtime()), checks, ..options.health };
        let router = Arc::new(Router::start(pools.clone(), options).expect("started"));
        let cluster = Self { sim, servers, pools, router };
        for index in 1..names.len() {
            cluster.follow(index, Some(Duration::ZERO));
        }
        cluster.sim.run();
        cluster
    }

    /// Has a server replicate another, behind by that; or none.
    fn follow(&self, index: usize, behind: Option<Duration>) {
        let lag = behind.map_or(ReplicationLag::Primary, |time| ReplicationLag::Behind {
            time: Some(time),
            bytes: None,
        });
        self.servers[index].set_lag(lag);
        self.servers[index].set_read_only(behind.is_some());
    }

    fn fail(&self, index: usize) {
        for call in [Call::Connect, Call::Check] {
            self.servers[index].always(call, Answer::Error);
        }
    }

    /// Has a server refuse new connections. Its pool has found out, and has one that is idle.
    fn refuse_connections(&self, index: usize) {
        let pool = &self.pools[index];
        let only = self.sim.block_on(pool.acquire()).expect("acquired");
        self.servers[index].always(Call::Connect, Answer::Error);
        let refused = self.sim.block_on(pool.acquire());
        assert!(refused.is_err(), "{refused:?}");
        drop(only);
        self.sim.advance(2 * SEC);
        let health = self.health(index);
        assert_eq!(health.state, HealthState::Degraded, "{health}");
        assert_ne!(health.circuit, Circuit::Closed, "{health}");
    }

    fn health(&self, index: usize) -> Arc<Health> {
        self.router.checkers().nth(index).expect("a member").health()
    }

    fn written(&self) -> Result<String, RouteError> {
        self.router.write().map(name)
    }

    fn read(&self) -> Result<String, RouteError> {
        self.router.read().map(name)
    }

    /// Where writes and reads go.
    fn routes(&self) -> [String; 2] {
        [self.written().expect("a primary"), self.read().expect("a server")]
    }
}

fn name(pool: &Pool<FakeDriver>) -> String {
    pool.control().name().to_owned()
}

#[test]
fn writes_go_to_the_primary_and_reads_to_the_replica_that_is_used_least() {
    let cluster = Cluster::new(&["a", "b", "c"]);
    assert_eq!(cluster.written().as_deref(), Ok("a"));
    let first = cluster.router.read().expect("a replica");
    let _busy = cluster.sim.block_on(first.acquire()).expect("acquired");
    let second = cluster.router.read().expect("a replica");
    let mut both = [name(first), name(second)];
    both.sort_unstable();
    assert_eq!(both, ["b", "c"]);
}

#[test]
fn replicas_that_are_down_or_behind_are_not_read_from() {
    let cluster = Cluster::new(&["a", "b", "c"]);
    cluster.fail(1);
    cluster.sim.advance(5 * SEC);
    assert_eq!(cluster.read().as_deref(), Ok("c"));
    cluster.follow(2, Some(11 * SEC));
    cluster.sim.advance(2 * SEC);
    assert_eq!(cluster.read().as_deref(), Ok("a"), "the primary, if there is no other");
    cluster.fail(0);
    cluster.sim.advance(5 * SEC);
    let error = cluster.read().expect_err("none is left").to_string();
    assert!(error.starts_with("no server can be read from: a: unhealthy: "), "{error}");
    assert!(error.contains("c: degraded: lag: the replica is behind by 11.0 s"), "{error}");
}

#[test]
fn a_lag_check_of_the_users_own_does_not_take_the_place_of_the_routers() {
    let bytes: Arc<dyn Check> = Arc::new(LagBelow::bytes(1000));
    let cluster = Cluster::checked(&["a", "b"], vec![bytes]);
    let behind = |time, bytes| {
        let lag = ReplicationLag::Behind { time: Some(time), bytes: Some(bytes) };
        cluster.servers[1].set_lag(lag);
        cluster.sim.advance(2 * SEC);
        cluster.read().expect("a server")
    };
    assert_eq!(behind(9 * SEC, 999), "b");
    assert_eq!(behind(11 * SEC, 999), "a");
    assert_eq!(behind(9 * SEC, 1000), "a");
}

#[test]
fn replicas_that_hand_out_no_connections_are_the_last_that_are_read_from() {
    let cluster = Cluster::new(&["a", "b", "c"]);
    cluster.refuse_connections(1);
    let busy = cluster.sim.block_on(cluster.pools[2].acquire()).expect("acquired");
    assert_eq!(cluster.read().as_deref(), Ok("c"), "though b has nothing in use");
    cluster.pools[2].control().pause();
    assert_eq!(cluster.read().as_deref(), Ok("a"), "the primary serves");
    cluster.fail(0);
    cluster.sim.advance(5 * SEC);
    assert_eq!(cluster.read().as_deref(), Ok("b"), "both hand out none, and c is in use");
    cluster.pools[2].control().resume();
    assert_eq!(cluster.read().as_deref(), Ok("c"));
    drop(busy);
}

#[test]
fn one_failed_probe_costs_no_primary() {
    let cluster = Cluster::new(&["a", "b"]);
    cluster.servers[0].always(Call::Check, Answer::Error);
    cluster.sim.advance(SEC);
    let health = cluster.health(0);
    let kept = (Some(Role::ReadWrite), HealthState::Degraded, true);
    assert_eq!((health.role, health.state, health.is_in_doubt), kept, "{health}");
    assert_eq!(cluster.written().as_deref(), Ok("a"));
}

#[test]
fn a_primary_in_doubt_gives_way_to_one_that_is_not() {
    let cluster = Cluster::new(&["a", "b"]);
    // Slow to fail, as one that is cut off, so that it stays in doubt while the other is promoted.
    for call in [Call::Connect, Call::Check] {
        cluster.servers[0].always(call, Answer::Never);
    }
    cluster.follow(1, None);
    cluster.sim.advance(2 * SEC + SEC / 2);
    let [old, new] = [0, 1].map(|index| cluster.health(index));
    assert_eq!((old.role, old.is_in_doubt), (Some(Role::ReadWrite), true), "{old}");
    assert_eq!((new.role, new.is_in_doubt), (Some(Role::ReadWrite), false), "{new}");
    assert_eq!(cluster.written().as_deref(), Ok("b"));
}

#[test]
fn after_a_failover_writes_go_to_the_promoted_one() {
    let cluster = Cluster::new(&["a", "b"]);
    cluster.fail(0);
    cluster.sim.advance(5 * SEC);
    let error = cluster.written().expect_err("no primary").to_string();
    assert!(error.starts_with("no server takes writes: a: unhealthy"), "{error}");
    assert!(error.ends_with("b: healthy, takes reads only"), "{error}");
    cluster.follow(1, None);
    cluster.sim.advance(2 * SEC);
    assert_eq!(cluster.routes(), ["b", "b"]);
    // The old primary comes back as one.
    cluster.servers[0].heal();
    cluster.sim.advance(5 * SEC);
    let both = RouteError::SeveralPrimaries { pools: vec!["a".to_owned(), "b".to_owned()] };
    assert_eq!(cluster.written(), Err(both));
    cluster.follow(0, Some(Duration::ZERO));
    cluster.sim.advance(2 * SEC);
    assert_eq!(cluster.routes(), ["b", "a"]);
    assert_eq!(cluster.health(0).role, Some(Role::ReadOnly));
}

#[test]
fn a_required_route_is_ready_while_it_has_a_primary_whoever_that_is() {
    let cluster = Cluster::new(&["a", "b"]);
    let probes = Probes::new();
    probes.require_route(&cluster.router);
    assert!(probes.ready().is_ready);
    assert_eq!(probes.health().len(), 2, "its pools are shown");
    cluster.fail(0);
    cluster.sim.advance(5 * SEC);
    let reasons = probes.ready().reasons;
    assert!(reasons[0].starts_with("no server takes writes: a: unhealthy"), "{reasons:?}");
    cluster.follow(1, None);
    cluster.sim.advance(2 * SEC);
    assert!(probes.ready().is_ready, "though the old primary is dead");
}
