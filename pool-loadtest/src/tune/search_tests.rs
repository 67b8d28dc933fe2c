//! The search on simulated servers.

use fastrand::Rng;

use super::{Ask, Goal, Next, Outcome, Search, Settled, VERIFY_FACTOR};

/// A server whose throughput follows the Universal Scalability Law.
#[derive(Clone, Copy, Debug)]
struct Server {
    sigma: f64,
    kappa: f64,
}

impl Server {
    fn throughput(self, n: usize) -> f64 {
        let n = n as f64;
        1_000.0 * n / (1.0 + self.sigma * (n - 1.0) + self.kappa * n * (n - 1.0))
    }

    fn best(self, most: usize) -> f64 {
        (1..=most).map(|n| self.throughput(n)).fold(0.0, f64::max)
    }
}

const SERVERS: [Server; 8] = [
    Server { sigma: 0.0, kappa: 0.0 },
    Server { sigma: 0.02, kappa: 0.0 },
    Server { sigma: 0.1, kappa: 0.0005 },
    Server { sigma: 0.05, kappa: 0.002 },
    Server { sigma: 0.3, kappa: 0.01 },
    Server { sigma: 0.0, kappa: 0.02 },
    Server { sigma: 0.6, kappa: 0.01 },
    Server { sigma: 1.0, kappa: 0.05 },
];
/// By how much runs differ, as a share.
const NOISE: f64 = 0.02;

fn noise(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
}

/// How a search ended, and how long all its runs took, in short runs.
fn searched(mut search: Search, mut run: impl FnMut(Ask) -> Outcome) -> (Settled, u32) {
    let mut took = 0;
    loop {
        match search.next() {
            Next::Done(settled) => return (settled, took),
            Next::Ask(ask) => {
                took += if ask.verifies { VERIFY_FACTOR } else { 1 };
                assert!(took < 60, "no end: {search:?}");
                search.tell(ask, run(ask));
            }
        }
    }
}

fn of_throughput(server: Server, most: usize, noisy: f64, rng: &mut Rng) -> (Settled, u32) {
    searched(Search::new(Goal::BestThroughput, most), |Ask { value, verifies }| {
        let length = if verifies { f64::from(VERIFY_FACTOR) } else { 1.0 };
        let off = noisy * noise(rng) / length.sqrt();
        Outcome { throughput: server.throughput(value) * (1.0 + off), met: true }
    })
}

#[test]
fn without_noise_the_value_is_within_five_percent_of_the_best_and_not_much_too_large() {
    for server in SERVERS {
        for most in [1, 2, 5, 16, 64, 100] {
            let (settled, _) = of_throughput(server, most, 0.0, &mut Rng::with_seed(1));
            let Settled::Found { value, at_once } = settled else { panic!("{settled:?}") };
            let best = server.best(most);
            assert!(server.throughput(value) >= 0.95 * best, "{server:?} to {most}: {value}");
            assert!(at_once, "nothing disappoints without noise");
            let enough = (1..=most).find(|n| server.throughput(*n) >= 0.95 * best);
            let enough = enough.expect("the best itself");
            assert!(value <= 2 * enough, "{server:?} to {most}: {value} where {enough} is enough");
        }
    }
}

#[test]
fn with_noise_it_lands_within_five_percent_of_the_best_in_nineteen_of_twenty_seeds() {
    let most = 64;
    for server in SERVERS {
        let (mut landed, mut found) = (0, 0);
        for seed in 0..400 {
            let (settled, _) = of_throughput(server, most, NOISE, &mut Rng::with_seed(seed));
            if let Settled::Found { value, .. } = settled {
                found += 1;
                landed += usize::from(server.throughput(value) >= 0.95 * server.best(most));
            }
        }
        assert_eq!(found, 400, "{server:?}");
        assert!(landed >= 380, "{server:?}: {landed} of 400");
    }
}

#[test]
fn a_search_takes_at_most_half_the_time_of_a_sweep_in_nineteen_of_twenty_seeds() {
    // Three runs of each of 1, 2, 4, 8, 16, 32 and 64.
    let sweep = 3 * 7;
    for server in SERVERS {
        let searches = (20_000..20_400)
            .map(|seed| of_throughput(server, 64, NOISE, &mut Rng::with_seed(seed)));
        let (mut within, mut longest) = (0, 0);
        for (settled, took) in searches {
            let is_within = 2 * took <= sweep;
            let at_once = matches!(settled, Settled::Found { at_once: true, .. });
            assert!(is_within || !at_once, "{server:?}: {took} although nothing disappointed");
            within += usize::from(is_within);
            longest = longest.max(took);
        }
        assert!(within >= 380, "{server:?}: {within} of 400");
        assert!(longest <= sweep * 4 / 5, "{server:?}: {longest}");
    }
}

#[test]
fn doubling_ends_where_two_values_in_a_row_bring_no_more() {
    let mut tried = Vec::new();
    let (settled, _) = searched(Search::new(Goal::BestThroughput, 64), |ask| {
        tried.push(ask.value);
        Outcome { throughput: 1_000.0 * ask.value.min(4) as f64, met: true }
    });
    assert_eq!(settled, Settled::Found { value: 4, at_once: true });
    assert_eq!(tried[..5], [1, 2, 4, 8, 16]);
    assert!(!tried.contains(&32), "{tried:?}");
}

#[test]
fn a_value_that_a_longer_run_confirmed_is_not_given_up_for_a_smaller_one() {
    let (settled, _) = searched(Search::new(Goal::BestThroughput, 8), |ask| {
        let throughput = match (ask.value, ask.verifies) {
            (1, _) => 500.0,
            (2, _) => 975.0,
            // Lucky at first.
            (4, false) => 1_000.0,
            (_, true) => 985.0,
            (_, false) => 990.0,
        };
        Outcome { throughput, met: true }
    });
    assert_eq!(settled, Settled::Found { value: 4, at_once: true });
}

/// Meets the conditions from some value on.
fn meeting(from: usize) -> impl FnMut(Ask) -> Outcome {
    move |ask| Outcome { throughput: 100.0, met: ask.value >= from }
}

#[test]
fn the_smallest_value_that_meets_a_bound_is_found_by_doubling_and_bisecting() {
    for (from, found) in [(1, 1), (2, 2), (3, 3), (6, 6), (8, 8)] {
        let (settled, _) = searched(Search::new(Goal::Meet, 64), meeting(from));
        assert_eq!(settled, Settled::Found { value: found, at_once: true });
    }
    for from in 9..=64 {
        let (settled, took) = searched(Search::new(Goal::Meet, 64), meeting(from));
        let Settled::Found { value, .. } = settled else { panic!("{from}: {settled:?}") };
        assert!(value >= from && value as f64 <= 1.5 * from as f64, "{value} for {from}");
        assert!(took <= 11, "{took} for {from}");
    }
}

#[test]
fn what_is_missed_with_the_largest_value_too_is_not_recommended() {
    let (settled, _) = searched(Search::new(Goal::Meet, 20), |ask| Outcome {
        throughput: if ask.value == 4 { 200.0 } else { 100.0 },
        met: false,
    });
    assert_eq!(settled, Settled::Missed { best: Some(4) });
}

#[test]
fn the_bound_itself_is_tried() {
    let (settled, _) = searched(Search::new(Goal::Meet, 20), meeting(20));
    assert_eq!(settled, Settled::Found { value: 20, at_once: true });
}

#[test]
fn a_value_that_disappoints_once_is_verified_again() {
    let mut long = 0;
    let (settled, _) = searched(Search::new(Goal::Meet, 64), |ask| {
        long += usize::from(ask.verifies);
        Outcome { throughput: 1.0, met: ask.value >= 4 && !(ask.verifies && long == 1) }
    });
    assert_eq!(settled, Settled::Found { value: 4, at_once: false });
    assert_eq!(long, 2);
}

#[test]
fn a_value_that_disappoints_twice_gives_way_to_a_larger_one() {
    let mut asked = Vec::new();
    let (settled, _) = searched(Search::new(Goal::Meet, 64), |ask| {
        asked.push(ask);
        let met = if ask.verifies { ask.value >= 8 } else { ask.value >= 4 };
        Outcome { throughput: 1.0, met }
    });
    assert_eq!(settled, Settled::Found { value: 8, at_once: false });
    let long: Vec<_> = asked.iter().filter(|it| it.verifies).map(|it| it.value).collect();
    assert_eq!(long, [4, 4, 8]);
}

#[test]
fn a_search_that_longer_runs_disappoint_again_and_again_ends_without_a_result() {
    let mut asked = Vec::new();
    let (settled, _) = searched(Search::new(Goal::Meet, 64), |ask| {
        asked.push(ask);
        Outcome { throughput: ask.value as f64, met: ask.value >= 4 && !ask.verifies }
    });
    assert_eq!(settled, Settled::Unsteady { best: Some(16) });
    assert!(asked.iter().all(|ask| ask.value <= 16), "nobody knows of 64: {asked:?}");
}

#[test]
fn a_server_on_which_nothing_succeeds_is_not_searched_for_ever() {
    let nothing = |_| Outcome { throughput: 0.0, met: false };
    for goal in [Goal::Meet, Goal::BestThroughput] {
        let (settled, took) = searched(Search::new(goal, 64), nothing);
        assert_eq!((settled, took), (Settled::Missed { best: None }, 7));
    }
}
