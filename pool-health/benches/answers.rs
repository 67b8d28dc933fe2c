//! How soon probes are answered, and what asking costs the pool: `cargo xtask bench health`.
//!
//! Figures are medians over rounds in which all ways take turns; what is compared is of the same round. A
//! target that is missed makes the exit status 1.

use std::fmt;
use std::hint::black_box;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use pool_core::runtime::TokioRuntime;
use pool_core::{ControlHandle, OwnedPoolGuard, Pool, PoolConfig};
use pool_health::{HealthChecker, HealthEndpoint, HealthOptions, HealthState, HttpOptions, Probes};
use pool_testkit::{Answer, Call, FakeDriver, FakeServer, Nothing};
use tokio::runtime::{Builder, Runtime};

/// Clients that never finish their headers.
const SLOW_CLIENTS: usize = 200;
/// Reads are made ten at a time, a thousand times a second.
const READS_AT_ONCE: u32 = 10;
/// How long acquires are counted at a time: little, so that what else the machine does meets all alike.
const STRETCH: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    // `cargo test` runs benchmarks, too, to see that they work.
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let (rounds, asks, turns) = if is_test { (1, 10, 1) } else { (21, 1000, 25) };
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let mut figures = over_http(&runtime, rounds, asks);
    figures.extend(in_process(&runtime, rounds, turns));
    println!("| figure | reached | spread | asked at most |\n|---|---|---|---|");
    for figure in &figures {
        println!("{figure}");
    }
    let is_missed = figures.iter().any(Figure::is_missed);
    if is_missed && !is_test { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// One line of the table.
struct Figure {
    name: &'static str,
    unit: &'static str,
    /// Sorted.
    values: Vec<f64>,
    target: Option<f64>,
}

impl Figure {
    fn new(
        name: &'static str,
        unit: &'static str,
        mut values: Vec<f64>,
        target: Option<f64>,
    ) -> Self {
        values.sort_by(f64::total_cmp);
        Self { name, unit, values, target }
    }

    fn is_missed(&self) -> bool {
        self.target.is_some_and(|target| quantile(&self.values, 0.5) > target)
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, unit, target, values } = self;
        let [low, median, high] = [0.1, 0.5, 0.9].map(|part| quantile(values, part));
        let target = target.map_or_else(String::new, |target| format!("{target} {unit}"));
        let mark = if self.is_missed() { ", missed" } else { "" };
        write!(f, "| {name} | {median:.2} {unit} | {low:.2} to {high:.2} | {target}{mark} |")
    }
}

fn quantile(sorted: &[f64], part: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}

/// Probes of a pool, served.
struct Served {
    probes: Probes,
    endpoint: HealthEndpoint,
}

impl Served {
    fn new(pool: &ControlHandle) -> Self {
        let options = HealthOptions {
            interval: Duration::from_millis(500),
            doubt_interval: Duration::from_millis(100),
            timeout: Duration::from_millis(200),
            ..HealthOptions::default()
        };
        let checker = HealthChecker::start(pool, options).expect("valid");
        let probes = Probes::new();
        probes.require(Arc::new(checker));
        let address = ([127, 0, 0, 1], 0).into();
        let options = HttpOptions { address, ..HttpOptions::default() };
        let endpoint = HealthEndpoint::start(&options, &probes).expect("it listens");
        Self { probes, endpoint }
    }

    fn wait_for(&self, state: HealthState) {
        while self.probes.health()[0].state != state {
            thread::yield_now();
        }
    }

    /// How many milliseconds each of `count` answers took, sorted.
    fn times(&self, count: usize, expected: &str) -> Vec<f64> {
        let ask = |_| {
            let began = Instant::now();
            let answer = get(self.endpoint.address()).expect("answered");
            assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{answer}");
            began.elapsed().as_secs_f64() * 1e3
        };
        let mut times: Vec<_> = (0..count).map(ask).collect();
        times.sort_by(f64::total_cmp);
        times
    }
}

/// A connection, a request, an answer, as each probe of a kubelet.
fn get(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn over_http(runtime: &Runtime, rounds: usize, asks: usize) -> Vec<Figure> {
    let _inside = runtime.enter();
    let (_server, pool) = scripted();
    let well = Served::new(&pool.control());
    well.wait_for(HealthState::Healthy);
    let beside_slow = Served::new(&pool.control());
    beside_slow.wait_for(HealthState::Healthy);
    let slow = SlowClients::of(beside_slow.endpoint.address());

    let (server, pool) = scripted();
    let _held = exhaust(runtime, &pool);
    let lost = Served::new(&pool.control());
    lost.wait_for(HealthState::Healthy);
    for call in [Call::Connect, Call::Check] {
        server.always(call, Answer::Never);
    }
    lost.wait_for(HealthState::Unhealthy);

    let ways = [(&well, "200"), (&lost, "503"), (&beside_slow, "200")];
    let mut medians = [const { Vec::new() }; 3];
    let mut p99s = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        for (index, (way, expected)) in ways.iter().enumerate() {
            let times = way.times(asks, expected);
            medians[index].push(quantile(&times, 0.5));
            p99s[index].push(quantile(&times, 0.99));
        }
    }
    println!("slow clients came {} times meanwhile\n", slow.end());
    let names = [
        ["a healthy, idle pool: median", "a healthy, idle pool: p99"],
        [
            "an exhausted pool, its database black-holed: median",
            "an exhausted pool, its database black-holed: p99",
        ],
        ["beside 200 slow clients: median", "beside 200 slow clients: p99"],
    ];
    let figures = names.into_iter().zip(medians.into_iter().zip(p99s));
    let figures = figures.flat_map(|([median, p99], (medians, p99s))| {
        [Figure::new(median, "ms", medians, None), Figure::new(p99, "ms", p99s, Some(1.0))]
    });
    figures.collect()
}

fn scripted() -> (FakeServer, Pool<FakeDriver>) {
    let server = FakeServer::new(Arc::new(TokioRuntime::new()));
    let config = PoolConfig {
        max_open: 8,
        acquire_timeout: Duration::from_hours(1),
        ..PoolConfig::default()
    };
    let pool = Pool::new(FakeDriver::new(&server), config).expect("valid");
    (server, pool)
}

/// Takes all connections, and has a hundred wait for one.
fn exhaust(runtime: &Runtime, pool: &Pool<FakeDriver>) -> Vec<OwnedPoolGuard<FakeDriver>> {
    let held = runtime.block_on(join_all((0..8).map(|_| pool.acquire_owned())));
    for _ in 0..100 {
        runtime.spawn(pool.clone().acquire_owned());
    }
    while pool.stats().waiting < 100 {
        thread::yield_now();
    }
    held.into_iter().map(|guard| guard.expect("acquired")).collect()
}

/// Clients that send a byte of a header twice a second, and come again when they are sent away.
struct SlowClients {
    has_ended: Arc<AtomicBool>,
    thread: thread::JoinHandle<usize>,
}

impl SlowClients {
    fn of(address: SocketAddr) -> Self {
        let has_ended = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&has_ended);
        let thread = thread::spawn(move || {
            let mut clients: Vec<_> = (0..SLOW_CLIENTS).map(|_| slow(address)).collect();
            let mut came = clients.len();
            while !until.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(500));
                for client in &mut clients {
                    let is_away = match client.read(&mut [0; 64]) {
                        Ok(_) => true,
                        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
                    };
                    if is_away || client.write_all(b"a").is_err() {
                        *client = slow(address);
                        came += 1;
                    }
                }
            }
            came
        });
        Self { has_ended, thread }
    }

    /// How many times one came.
    fn end(self) -> usize {
        self.has_ended.store(true, Ordering::Relaxed);
        self.thread.join().expect("it has not panicked")
    }
}

fn slow(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").expect("sent");
    stream.set_nonblocking(true).expect("set");
    stream
}

/// What reading in the program costs, and costs those who use the pool.
fn in_process(runtime: &Runtime, rounds: usize, turns: usize) -> Vec<Figure> {
    let _inside = runtime.enter();
    let pool = Pool::new(Nothing, PoolConfig::default()).expect("valid");
    drop(runtime.block_on(pool.acquire()).expect("opened"));
    let served = Served::new(&pool.control());
    served.wait_for(HealthState::Healthy);
    let reader = Reader::new(&served.probes);

    let [mut reads, mut without, mut fewer] = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        let began = Instant::now();
        for _ in 0..10_000 {
            black_box(served.probes.ready());
        }
        reads.push(began.elapsed().as_nanos() as f64 / 1e4);
        let mut done = [0.0; 2];
        // Each way once before the other and once behind it: what else the machine does, it does to both.
        for is_reading in [false, true, true, false].into_iter().cycle().take(4 * turns) {
            reader.is_reading.store(is_reading, Ordering::Relaxed);
            done[usize::from(is_reading)] += throughput(&pool) / (2 * turns) as f64;
        }
        without.push(done[0] / 1e6);
        fewer.push(100.0 * (1.0 - done[1] / done[0]));
    }
    reader.end();
    vec![
        Figure::new("`Probes::ready` in the program", "ns", reads, None),
        Figure::new("acquires and releases of a thread, without reads", "M/s", without, None),
        Figure::new("fewer beside 10,000 reads/s", "%", fewer, Some(2.0)),
    ]
}

/// A thread that wakes a thousand times a second, as if for requests, and reads or does not.
struct Reader {
    is_reading: Arc<AtomicBool>,
    has_ended: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Reader {
    fn new(probes: &Probes) -> Self {
        let [is_reading, has_ended] = [const { AtomicBool::new(false) }; 2].map(Arc::new);
        let (reading, until, probes) = (is_reading.clone(), has_ended.clone(), probes.clone());
        let thread = thread::spawn(move || {
            let began = Instant::now();
            for turn in 1_u32.. {
                if until.load(Ordering::Relaxed) {
                    break;
                }
                if reading.load(Ordering::Relaxed) {
                    (0..READS_AT_ONCE).for_each(|_| drop(black_box(probes.ready())));
                }
                let next = began + Duration::from_millis(1) * turn;
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        Self { is_reading, has_ended, thread }
    }

    fn end(self) {
        self.has_ended.store(true, Ordering::Relaxed);
        self.thread.join().expect("it has not panicked");
    }
}

/// Acquires and releases of an idle connection, each second.
fn throughput(pool: &Pool<Nothing>) -> f64 {
    let began = Instant::now();
    let mut turns = 0_u32;
    while began.elapsed() < STRETCH {
        for _ in 0..1000 {
            let guard = pool.acquire().now_or_never().expect("one is idle");
            drop(black_box(guard.expect("one is idle")));
        }
        turns += 1000;
    }
    f64::from(turns) / began.elapsed().as_secs_f64()
}
