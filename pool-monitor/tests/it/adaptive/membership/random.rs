//! Whatever may befall members and their server, in any order: no more is open than there is to share,
//! and in the end all is shared fairly.

use pool_core::{LeaseTrouble, MemberRow};
use pool_testkit::{Answer, Call};

use super::*;

/// Of each there is one control connection, of joining members at the cost of the reserve.
const MEMBERS: usize = RESERVE;

struct World {
    fleet: Fleet,
    rng: fastrand::Rng,
    members: Vec<Process>,
    joined: u64,
}

impl World {
    fn new(sim: &Sim, seed: u64) -> Self {
        let server = FakeServer::new(sim.runtime());
        let fleet = Fleet { sim: sim.clone(), server };
        Self { fleet, rng: fastrand::Rng::with_seed(seed), members: Vec::new(), joined: 0 }
    }

    fn join(&mut self) {
        self.joined += 1;
        let floor = self.rng.usize(1..=4);
        self.members.push(self.fleet.join_with(self.joined, fixed(floor)));
    }

    /// Uses a pool for a while.
    fn burst(&mut self) {
        let some = self.rng.usize(..self.members.len());
        for _ in 0..self.rng.usize(1..40) {
            let (pool, sim) = (self.members[some].pool.clone(), self.fleet.sim.clone());
            let (times, holds) =
                (self.rng.u32(1..100), Duration::from_millis(self.rng.u64(1..500)));
            self.fleet.sim.spawn(async move {
                for _ in 0..times {
                    let acquired = pool.acquire().await;
                    sim.sleep(holds).await;
                    if acquired.is_err_and(|error| error.is_closed()) {
                        return;
                    }
                }
            });
        }
    }

    fn step(&mut self) {
        let server = self.fleet.server.clone();
        match self.rng.u8(0..24) {
            0..4 if self.members.len() < MEMBERS => self.join(),
            4..12 => self.burst(),
            12..14 if self.members.len() > 1 => {
                let killed = self.members.swap_remove(self.rng.usize(..self.members.len()));
                self.fleet.kill(killed);
            }
            14 if self.members.len() > 1 => {
                let mut leaving = self.members.swap_remove(self.rng.usize(..self.members.len()));
                let left = leaving.size.take().expect("a member").leave(60 * SEC);
                self.fleet.sim.spawn(async move {
                    left.await;
                    drop(leaving);
                });
            }
            15 => server.sever_all(),
            16 => server.next(Call::Ask, &[Answer::Never, Answer::Error]),
            17 => server.always(Call::Ask, Answer::Never),
            18 => server.always(Call::Connect, Answer::LateError(SEC)),
            19 => server.set_lease_trouble(Some(LeaseTrouble::OutcomeUnknown)),
            20 => server.set_read_only(true),
            _ => self.heal(),
        }
        for _ in 0..self.rng.u32(1..200) {
            self.fleet.sim.advance(50 * MS);
            self.audit();
        }
    }

    fn heal(&self) {
        self.fleet.server.heal();
        self.fleet.server.set_read_only(false);
        self.fleet.server.set_lease_trouble(None);
    }

    fn audit(&self) {
        let rows = self.fleet.server.fleet_ledger(&name()).map_or_else(Vec::new, |it| it.rows);
        let taken = |row: &MemberRow| row.share.granted.max(row.share.held);
        let taken: usize = rows.iter().map(taken).sum();
        assert!(taken <= TOTAL - RESERVE, "{taken} taken: {rows:#?}");
        let most = self.fleet.server.most_sockets();
        assert!(most <= TOTAL, "{most} sockets: {rows:#?}");
    }
}

#[test]
fn whatever_happens_no_more_is_open_than_there_is_and_in_the_end_it_is_shared_fairly() {
    for seed in 0..10 {
        let sim = Sim::new(seed);
        let mut world = World::new(&sim, seed);
        world.join();
        for _ in 0..30 {
            world.step();
        }
        world.heal();
        while world.members.len() < 2 {
            world.join();
        }
        for process in &world.members {
            world.fleet.use_by(process, 60);
        }
        sim.advance(60 * SEC);
        world.audit();
        let members = world.members.len();
        let open: Vec<usize> = world.members.iter().map(Process::open).collect();
        let sum: usize = open.iter().sum();
        assert_eq!(sum, TOTAL - RESERVE - members, "seed {seed}: {open:?}");
        let fair = sum / members;
        assert!(open.iter().all(|open| (fair..=fair + 1).contains(open)), "seed {seed}: {open:?}");
    }
}
