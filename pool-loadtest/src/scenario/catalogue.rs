//! Every scenario there is.

use std::time::Duration;

use crate::arrivals::ThinkTime;

use super::{Fault, Misfortune, Scenario, Share, Twist, seen};

const SECOND: Duration = Duration::from_secs(1);

/// What most of them have in common.
const PLAIN: Scenario = Scenario {
    name: "",
    does: "",
    look_at: "",
    duration: Duration::from_secs(10),
    shortest: Duration::from_millis(1),
    tasks: 16,
    think_time: ThinkTime::None,
    rates: &[],
    settings: &[],
    changes: &[],
    misfortune: None,
    twist: Twist::None,
    is_cold: false,
    expects_errors: false,
    expected: "",
    seen: seen::steadiness,
};

/// All of them, in the order in which they are listed.
pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "steady",
        does: "the same load from beginning to end",
        look_at: "throughput, latencies and verdict: what the others compare with",
        expected: "the second half of the load is as fast as the first",
        ..PLAIN
    },
    Scenario {
        name: "spike",
        does: "few arrivals, for a fifth of the time a hundred times as many, then few again",
        look_at: "wait: how long the many waited, and whether the few are as before afterwards",
        shortest: SECOND,
        settings: &[("max_open", "4")],
        rates: &[
            Share { at: 0.0, what: 100 },
            Share { at: 0.4, what: 10_000 },
            Share { at: 0.6, what: 100 },
        ],
        expected: "the queue of the spike is gone soon after it, and all is as before",
        seen: seen::spike,
        ..PLAIN
    },
    Scenario {
        name: "cold-start",
        does: "the whole load at once on a pool without a connection",
        look_at: "how long until it is steady, and the acquires `after a connect`",
        settings: &[("min_idle", "0")],
        is_cold: true,
        expected: "slow first operations, which open the connections, then a steady rate",
        seen: seen::cold_start,
        ..PLAIN
    },
    Scenario {
        name: "churn",
        does: "a pool that keeps one idle connection, and opens and closes the others all the time",
        look_at: "connections opened for each operation, the time that takes, and the verdict",
        think_time: ThinkTime::Exponential(Duration::from_millis(5)),
        settings: &[("max_open", "16"), ("max_idle", "1"), ("idle_grace", "0s")],
        twist: Twist::Linger,
        expected: "far more connections are opened than the pool may have",
        seen: seen::churn,
        ..PLAIN
    },
    Scenario {
        name: "transaction-hog",
        does: "one operation in twenty keeps its connection for a quarter of a second",
        look_at: "wait beside service: few who hold for long make everybody wait",
        settings: &[("max_open", "8")],
        twist: Twist::Hog,
        expected: "the few that hold for long have most of the connections' time",
        seen: seen::hog,
        ..PLAIN
    },
    Scenario {
        name: "leak",
        does: "one operation in fifty never gives a connection back, until one is left",
        look_at: "throughput falls with each connection lost, and the verdict",
        settings: &[("max_open", "8"), ("leak_after", "1s"), ("acquire_timeout", "2s")],
        twist: Twist::Leak,
        expected: "connections stay in use though nobody works on them",
        seen: seen::leak,
        ..PLAIN
    },
    Scenario {
        name: "cancel-storm",
        does: "callers that give up while they wait, three for each operation",
        look_at: "acquires given up, and the invariant: no connection and no room may be lost",
        settings: &[("max_open", "4")],
        twist: Twist::Impatience,
        expected: "thousands give up, and every connection can be had afterwards",
        seen: seen::impatience,
        ..PLAIN
    },
    Scenario {
        name: "nested-acquire",
        does: "each operation wants a second connection while it has its first: the deadlock",
        look_at: "errors: every connection is held by somebody who waits for another",
        settings: &[("max_open", "4"), ("acquire_timeout", "300ms")],
        twist: Twist::Nested,
        expects_errors: true,
        expected: "everybody holds one and waits for another, until acquire_timeout ends it",
        seen: seen::nested,
        ..PLAIN
    },
    Scenario {
        name: "exhaustion",
        does: "other users have every connection that the server has left, and leave half-way",
        look_at: "connects that failed, and whether operations went on with the connection there is",
        shortest: SECOND,
        settings: &[("max_open", "8")],
        misfortune: Some(Misfortune { kind: Fault::Crowded, from: 0.0, until: 0.5 }),
        expected: "connects are refused, the pool goes on with what it has, and grows once they left",
        seen: seen::exhaustion,
        ..PLAIN
    },
    Scenario {
        name: "restart",
        does: "the server is killed (kill -9) and started again on its port",
        look_at: "incidents: operations lost, how soon all was well again; the invariant",
        shortest: Duration::from_secs(2),
        misfortune: Some(Misfortune { kind: Fault::Killed, from: 0.3, until: 0.4 }),
        expects_errors: true,
        expected: "operations fail while it is gone, and go on by themselves once it is back",
        seen: seen::recovery,
        ..PLAIN
    },
    Scenario {
        name: "pause",
        does: "the server is held still (SIGSTOP), and goes on",
        look_at: "the longest response, and how soon all was well again",
        shortest: SECOND,
        settings: &[("acquire_timeout", "5s")],
        misfortune: Some(Misfortune { kind: Fault::Frozen, from: 0.3, until: 0.5 }),
        expects_errors: true,
        expected: "nobody is served meanwhile, and everybody soon after",
        seen: seen::recovery,
        ..PLAIN
    },
    Scenario {
        name: "slow-network",
        does: "for a while every byte takes 20 ms longer to the server, and 20 ms back",
        look_at: "service: what a distant database costs, and how many connections make up for it",
        shortest: SECOND,
        misfortune: Some(Misfortune {
            kind: Fault::Distant(Duration::from_millis(20)),
            from: 0.3,
            until: 0.6,
        }),
        expected: "operations take 40 ms and more meanwhile, and throughput falls",
        seen: seen::distance,
        ..PLAIN
    },
    Scenario {
        name: "live-resize",
        does: "max_open is changed to 2, to 16 and to 8 under load",
        look_at: "changes: what was closed at once, and what only when it came back",
        shortest: Duration::from_millis(100),
        settings: &[("max_open", "8")],
        changes: &[
            Share { at: 0.25, what: "max_open=2" },
            Share { at: 0.5, what: "max_open=16" },
            Share { at: 0.75, what: "max_open=8" },
        ],
        expected: "each change is made, and no operation fails of it",
        seen: seen::resize,
        ..PLAIN
    },
    Scenario {
        name: "soak",
        does: "a steady load for an hour, with the memory of this process watched",
        look_at: "memory: whether it grows, and by how much; there is nothing to see before 10 s",
        duration: Duration::from_hours(1),
        expected: "memory is the same after the first quarter of the time as at its end",
        seen: seen::soak,
        ..PLAIN
    },
];
