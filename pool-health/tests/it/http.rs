//! The endpoint over HTTP: what an orchestrator is told, what people are, and what hostile clients get.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pool_core::{ReplicationLag, Role, Secret};
use pool_health::{
    HealthEndpoint, HealthOptions, HealthState, HttpOptions, LagBelow, Probes, RoleIs, ServeError,
    ShutdownOptions,
};
use pool_testkit::{Answer, Call, Shown};
use serde_json::Value;

use crate::rig::{Rig, SEC};

const AGES: Duration = Duration::from_mins(1);
const TOKEN: &str = "canary-0123456789";
const HERE: &str = "Host: localhost\r\n";

fn options() -> HttpOptions {
    let address = "127.0.0.1:0".parse().expect("an address");
    HttpOptions { address, ..HttpOptions::default() }
}

/// Probes that require a pool, and where they are answered.
struct Served {
    rig: Rig,
    probes: Probes,
    endpoint: HealthEndpoint,
}

impl Served {
    fn new(rig: Rig, options: &HttpOptions) -> Self {
        let probes = Probes::new();
        probes.require(Arc::clone(&rig.checker));
        let endpoint = HealthEndpoint::start(options, &probes).expect("started");
        Self { rig, probes, endpoint }
    }

    fn well() -> Self {
        Self::new(Rig::well(HealthOptions::default()), &options())
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.endpoint.address()).expect("it listens");
        stream.set_read_timeout(Some(AGES)).expect("set");
        stream
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("sent");
        rest(&mut stream)
    }

    fn get(&self, path: &str, headers: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\n{HERE}{headers}\r\n"))
    }

    /// The three statuses, as a kubelet sees them.
    fn statuses(&self) -> String {
        ["/livez", "/readyz", "/startupz"].map(|path| status(&self.get(path, ""))).join(" ")
    }

    /// The details of a probe, for who has the token.
    fn details(&self, path: &str) -> Value {
        body(&self.get(path, &format!("Authorization: Bearer {TOKEN}\r\n")))
    }

    fn breaks(&self, answer: Answer) {
        for call in [Call::Connect, Call::Check] {
            self.rig.server.always(call, answer);
        }
    }

    /// How long each of `count` asks for `/readyz` took, the shortest first; each gets `expected`.
    fn times(&self, count: usize, expected: &str) -> Vec<Duration> {
        let ask = |_| {
            let began = Instant::now();
            assert_eq!(status(&self.get("/readyz", "")), expected);
            began.elapsed()
        };
        let mut times: Vec<_> = (0..count).map(ask).collect();
        times.sort();
        times
    }
}

/// All that comes until the connection is closed.
fn rest(stream: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        // Closed with something unread, as is what was refused.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        read => drop(read.expect("closed within the bound")),
    }
    String::from_utf8(rest).expect("text")
}

fn status(answer: &str) -> String {
    answer.split(' ').nth(1).unwrap_or("closed").to_owned()
}

fn body(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").expect("an answer");
    serde_json::from_str(body).expect("JSON")
}

fn p99(times: &[Duration]) -> Duration {
    times[times.len() * 99 / 100]
}

/// Prints how long answers took; a machine that runs other tests too says little of the 99th percentile.
#[track_caller]
fn expect_quick(what: &str, times: &[Duration]) {
    let count = times.len();
    println!("{what}: median {:?}, p99 {:?} of {count} probes", times[count / 2], p99(times));
    assert!(p99(times) < PROBE_TIMEOUT, "{what}: {:?}", p99(times));
}

#[test]
fn statuses_follow_the_pool_and_the_end_of_the_program() {
    let served = Served::new(Rig::new(HealthOptions::default()), &options());
    assert_eq!(served.statuses(), "200 503 503", "nothing is known yet");
    served.rig.sim.run();
    assert_eq!(served.statuses(), "200 200 200");
    served.breaks(Answer::Error);
    served.rig.until_it_is(HealthState::Unhealthy);
    assert_eq!(served.statuses(), "200 503 200");
    served.rig.server.heal();
    served.rig.until_it_is(HealthState::Healthy);
    assert_eq!(served.statuses(), "200 200 200");
    let shutdown = served.rig.sim.spawn({
        let (probes, pools) = (served.probes.clone(), [served.rig.pool.control()]);
        let runtime = Some(served.rig.sim.runtime());
        let options = ShutdownOptions { runtime, ..ShutdownOptions::default() };
        async move { probes.shutdown(&pools, options).await.expect("a runtime") }
    });
    served.rig.sim.run();
    assert_eq!(served.statuses(), "200 503 200", "at once, and while it still serves");
    served.rig.sim.advance(60 * SEC);
    assert!(shutdown.take().expect("it has ended").drained());
}

#[test]
fn who_shows_no_token_is_told_a_status_and_nothing_else() {
    let closed = HttpOptions { token: Some(Secret::new(TOKEN)), ..options() };
    for options in [options(), closed] {
        let served = Served::new(Rig::well(HealthOptions::default()), &options);
        served.rig.pool.control().pause();
        served.rig.until_it_is(HealthState::Degraded);
        let answer = served.get("/readyz", "");
        assert!(answer.contains("content-type: application/health+json\r\n"), "{answer}");
        assert!(answer.contains("cache-control: no-store\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n{\"status\":\"pass\"}\n"), "{answer}");
        served.probes.end();
        let answer = served.get("/readyz", "");
        assert!(answer.ends_with("\r\n\r\n{\"status\":\"fail\"}\n"), "{answer}");
    }
}

#[test]
fn without_a_token_there_are_no_details_whatever_is_shown() {
    let served = Served::well();
    let answer = served.get("/readyz", &format!("Authorization: Bearer {TOKEN}\r\n"));
    assert!(answer.ends_with("\r\n\r\n{\"status\":\"pass\"}\n"), "{answer}");
}

#[test]
fn who_shows_the_token_is_told_of_each_pool_and_check() {
    let checks = HealthOptions {
        checks: vec![Arc::new(RoleIs(Role::ReadWrite)), Arc::new(LagBelow::time(10 * SEC))],
        ..HealthOptions::default()
    };
    let options = HttpOptions { token: Some(Secret::new(TOKEN)), ..options() };
    let served = Served::new(Rig::well(checks), &options);
    let details = served.details("/readyz");
    assert_eq!((&details["status"], &details["notes"]), (&"pass".into(), &Value::Array(vec![])));
    let pool = &details["checks"]["fake"][0];
    for (field, value) in [
        ("componentId", "fake"),
        ("componentType", "datastore"),
        ("status", "pass"),
        ("state", "healthy"),
        ("observedUnit", "ms"),
        ("poolState", "open"),
        ("circuit", "closed"),
        ("probeCircuit", "closed"),
    ] {
        assert_eq!(pool[field], value, "{field} of {pool}");
    }
    for time in ["time", "since", "probed"] {
        let time = pool[time].as_str().expect("a time");
        let is_rfc3339 = humantime::parse_rfc3339(time).is_ok();
        assert!(is_rfc3339, "{time}");
    }
    assert!(pool["observedValue"].is_number() && pool.get("output").is_none(), "{pool}");

    let behind = ReplicationLag::Behind { time: Some(11 * SEC), bytes: None };
    served.rig.server.set_lag(behind);
    served.rig.until_it_is(HealthState::Degraded);
    let details = served.details("/readyz");
    assert_eq!(details["status"], "warn");
    let lag = &details["checks"]["fake:lag"][0];
    assert_eq!((&lag["status"], &lag["componentId"]), (&"warn".into(), &"fake".into()), "{lag}");
    assert!(lag["output"].as_str().expect("a reason").contains("11"), "{lag}");
    // How long the check took is not what it measures.
    assert!(lag.get("observedValue").is_none() && lag["tookMilliseconds"].is_number(), "{lag}");

    served.probes.note(|| Some("something else".to_owned()));
    assert_eq!(served.details("/readyz")["notes"], serde_json::json!(["something else"]));

    served.rig.server.set_read_only(true);
    served.rig.until_it_is(HealthState::Unhealthy);
    let details = served.details("/readyz");
    assert_eq!(details["status"], "fail");
    let why = "role: the server takes reads only, wanted is one that takes writes";
    assert_eq!(details["notes"][0], format!("fake: unhealthy: {why}"));
    assert_eq!(details["checks"]["fake"][0]["output"], why);
    assert_eq!(details["checks"]["fake"][0]["probeCircuit"], "open");
    assert_eq!(details["checks"]["fake:role"][0]["status"], "fail");
    assert_eq!(served.details("/startupz")["status"], "warn");
    assert_eq!(served.details("/livez"), serde_json::json!({ "status": "pass" }));
}

#[test]
fn a_note_that_panics_costs_nothing_but_itself() {
    let options = HttpOptions { token: Some(Secret::new(TOKEN)), ..options() };
    let served = Served::new(Rig::well(HealthOptions::default()), &options);
    served.probes.note(|| panic!("nothing to say"));
    served.probes.note(|| Some("something else".to_owned()));
    let answer = served.get("/readyz", &format!("Authorization: Bearer {TOKEN}\r\n"));
    assert_eq!(status(&answer), "200");
    let notes = serde_json::json!(["a note panicked", "something else"]);
    assert_eq!((&body(&answer)["status"], &body(&answer)["notes"]), (&"warn".into(), &notes));
}

#[test]
fn pools_of_one_name_are_told_apart_by_their_places() {
    let options = HttpOptions { token: Some(Secret::new(TOKEN)), ..options() };
    let served = Served::new(Rig::well(HealthOptions::default()), &options);
    let replica = Rig::new(HealthOptions::default());
    served.probes.show(Arc::clone(&replica.checker));
    let details = served.details("/readyz");
    let states: Vec<_> =
        details["checks"]["fake"].as_array().expect("two").iter().map(|it| &it["state"]).collect();
    assert_eq!(states, ["healthy", "unknown"]);
    assert_eq!(details["status"], "warn");
}

#[test]
fn who_is_not_meant_is_refused_and_nothing_secret_is_shown() {
    let shown = Shown::start();
    let options = HttpOptions { token: Some(Secret::new(TOKEN)), ..options() };
    let served = Served::new(Rig::well(HealthOptions::default()), &options);
    for wrong in ["Bearer guessed-0123456789", "Basic Y2FuYXJ5", ""] {
        let header = format!("Authorization: {wrong}\r\n");
        for path in ["/readyz", "/startupz"] {
            let answer = served.get(path, &header);
            assert_eq!(status(&answer), "200", "a mesh may send what is meant for the program");
            let told = serde_json::json!({ "status": "pass", "notes": ["the token is wrong"] });
            assert_eq!(body(&answer), told, "{wrong}");
            assert!(answer.contains("www-authenticate: Bearer\r\n"), "{answer}");
            shown.note_text(&answer);
        }
        let answer = served.get("/livez", &header);
        assert_eq!(status(&answer), "200", "{wrong}");
        assert_eq!(body(&answer), serde_json::json!({ "status": "pass" }));
    }
    let stranger = format!(
        "GET /readyz HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    );
    let answer = served.ask(&stranger);
    assert_eq!(status(&answer), "403");
    shown.note_text(&answer);
    served.breaks(Answer::Error);
    served.rig.until_it_is(HealthState::Unhealthy);
    shown.note_text(&served.details("/readyz").to_string());
    shown.note(&options);
    shown.note(&served.endpoint);
    for token in ["canary-short", "canary 0123456789", "canary-0123456789ü"] {
        let options = HttpOptions { token: Some(Secret::new(token)), ..options.clone() };
        let refused = HealthEndpoint::start(&options, &served.probes).expect_err(token);
        assert!(matches!(refused, ServeError::BadToken), "{refused}");
        shown.note_error(&refused);
    }
    shown.expect(&["HealthEndpoint", "visible ASCII", "scripted failure", "HttpOptions"]);
    shown.expect_no("canary");
}

#[test]
fn what_is_no_probe_is_refused() {
    let served = Served::well();
    let with = |method: &str, path: &str, rest: &str| {
        served.ask(&format!("{method} {path} HTTP/1.1\r\n{HERE}{rest}"))
    };
    for path in ["/", "/readyz/", "/healthz", "/readyz/../livez", "//readyz", "/READYZ"] {
        assert_eq!(status(&with("GET", path, "\r\n")), "404", "{path}");
    }
    assert_eq!(status(&with("GET", "/readyz?verbose", "\r\n")), "200");
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        let answer = with(method, "/readyz", "Content-Length: 5\r\n\r\nhello");
        assert_eq!(status(&answer), "405", "{method}");
        assert!(answer.contains("allow: GET, HEAD\r\n"), "{answer}");
    }
    let answer = with("HEAD", "/readyz", "\r\n");
    assert!(status(&answer) == "200" && answer.ends_with("\r\n\r\n"), "{answer}");
    let large = with("GET", "/readyz", "Content-Length: 1000000000\r\n\r\nhello");
    assert_eq!(status(&large), "200", "without the body being read");
    let long = format!("X-Long: {}\r\n\r\n", "x".repeat(16 * 1024));
    assert_eq!(status(&with("GET", "/readyz", &long)), "431");
    assert_eq!(status(&with("GET", &format!("/{}", "x".repeat(16 * 1024)), "\r\n")), "431");
    assert_ne!(status(&served.ask("\x16\x03\x01\x02 no HTTP at all\r\n\r\n")), "200");
    assert_eq!(served.statuses(), "200 200 200");
}

/// A kubelet's default `timeoutSeconds`.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

#[test]
fn two_hundred_clients_that_take_their_time_do_not_delay_a_probe() {
    let served = Served::well();
    expect_quick("alone", &served.times(200, "200"));
    for (what, says) in [
        ("beside 200 slow clients", "GET /readyz HTTP/1.1\r\nHost: loc"),
        (
            "beside 200 whose bodies never come",
            "POST /readyz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n",
        ),
    ] {
        let mut slow: Vec<_> = (0..200).map(|_| served.connect()).collect();
        for slow in &mut slow {
            // Some of them had to give way already.
            let _sent = slow.write_all(says.as_bytes());
        }
        expect_quick(what, &served.times(200, "200"));
    }
}

#[test]
fn it_answers_while_the_pool_is_exhausted_and_the_database_a_black_hole() {
    let served = Served::well();
    let _held = [served.rig.acquire(), served.rig.acquire()];
    let _waiting: Vec<_> = (0..100)
        .map(|_| {
            let pool = served.rig.pool.clone();
            served.rig.sim.spawn(async move { pool.acquire_owned().await.map(drop) })
        })
        .collect();
    served.breaks(Answer::Never);
    expect_quick("exhausted, not noticed yet", &served.times(500, "200"));
    served.rig.until_it_is(HealthState::Unhealthy);
    expect_quick("exhausted, database down", &served.times(500, "503"));
}

#[test]
fn an_address_in_use_is_named() {
    let served = Served::well();
    let address = served.endpoint.address();
    let taken = HttpOptions { address, ..options() };
    let error = HealthEndpoint::start(&taken, &served.probes).expect_err("in use");
    assert_eq!(error.to_string(), format!("cannot listen on {address} for probes"));
}
