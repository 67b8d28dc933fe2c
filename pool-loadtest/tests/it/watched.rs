//! A run that is watched: what is refused before it starts, and what becomes of one whose collector is
//! not there. The receivers themselves are in `on_receivers.rs`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use crate::program::{finished, json, program, run};

#[test]
fn without_being_asked_for_nothing_watches() {
    let (code, stdout, stderr) = run(&["run", "--duration", "200ms", "--output", "json"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(json(&stdout).get("monitor").is_none(), "{stdout}");
    assert!(!stderr.contains("/metrics") && !stderr.contains("collector"), "{stderr}");
}

#[test]
fn what_is_wrong_with_being_watched_is_said_with_all_else_before_anything_starts() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("bound");
    let taken = taken.local_addr().expect("an address").to_string();
    let url = "ftp://me:hunter2@collector/hunter2";
    let (code, stdout, stderr) =
        run(&["run", "--otlp", url, "--prometheus", &taken, "--pool", "max_opn=8"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    for part in [
        "(3 problems)",
        "--otlp = \"(not shown)\": its scheme is neither http nor https",
        "allowed: a URL such as http://collector:4318",
        &format!("--prometheus = \"{taken}\": Address already in use"),
        "did you mean \"max_open\"?",
    ] {
        assert!(stderr.contains(part), "{part} not in {stderr}");
    }
    assert!(!stderr.contains("hunter2"), "{stderr}");
}

#[test]
fn a_tuner_says_what_it_recommends_or_has_set_and_why() {
    // Two connections for sixteen tasks, held while nothing is asked: they are waited for all the time.
    let load = ["run", "--duration", "9s", "--workload", "long-transactions", "--tasks", "16"];
    let with = |mode: &str, form: &str| {
        let tuned = ["--pool", "max_open=2", "--tuner", mode, "--output", form];
        let (code, stdout, stderr) = run(&[&load[..], &tuned].concat());
        assert_eq!(code, 0, "{stderr}");
        stdout
    };
    let shadow = json(&with("shadow", "json"))["monitor"]["tuner"].clone();
    assert!(shadow["max_open"].as_u64().is_some_and(|most| most > 2), "{shadow}");
    assert_eq!(shadow["is_applied"], false);
    assert!(shadow["reason"].as_str().is_some_and(|why| why.contains("acquires wait")), "{shadow}");
    let on = with("on", "text");
    assert!(on.contains("tuner") && on.contains("has set max_open to"), "{on}");
}

#[test]
fn arguments_that_make_no_sense_name_what_is_allowed() {
    for (arguments, words) in [
        (&["run", "--prometheus", "9187"][..], "an IP address and a port, such as 127.0.0.1:9187"),
        (&["run", "--prometheus", "0.0.0.0:0"], "other machines reach it"),
        (&["run", "--sample", "0.5"], "--otlp <URL>"),
        (&["run", "--otlp", "http://x", "--sample", "2"], "a number from 0 to 1"),
        (&["run", "--otlp", "http://x", "--sample", "-1"], "a number from 0 to 1"),
        (&["run", "--otlp", "hunter2"], "it has no scheme"),
    ] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(stderr.contains(words), "{words} not in {stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
}

#[test]
fn a_collector_that_is_down_does_not_fail_the_run_and_is_not_kept_quiet_about() {
    // Bound and not listened on for long: nobody answers there.
    let gone = TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("an address");
    let url = format!("http://me:hunter2@{gone}/hunter2?key=hunter2");
    let arguments = ["run", "--duration", "300ms", "--output", "json", "--sample", "1"];
    let mut command = program(&arguments);
    command.args(["--otlp", &url]).env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hunter2");
    let (code, stdout, stderr) = finished(command.output().expect("starts"));
    assert_eq!(code, 0, "{stderr}");
    let report = json(&stdout);
    assert_eq!(report["invariant"], "held");
    let telemetry = &report["monitor"]["telemetry"];
    assert_eq!(
        (&telemetry["metrics_delivered"], &telemetry["spans_delivered"]),
        (&false.into(), &0.into())
    );
    assert!(telemetry["spans_undelivered"].as_u64() > Some(0), "{report}");
    let said = "warning: not delivered to the collector: the last metrics and ";
    assert!(stderr.contains(said) && stderr.contains("Connection refused"), "{stderr}");
    assert!(!format!("{stdout}{stderr}").contains("hunter2"), "{stdout}{stderr}");
}

#[test]
fn exporters_that_the_environment_turns_off_are_not_said_to_have_delivered() {
    let mut command = program(&["run", "--duration", "200ms", "--otlp", "http://127.0.0.1:1"]);
    command.env("OTEL_SDK_DISABLED", "true");
    let (code, _, stderr) = finished(command.output().expect("starts"));
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("nothing was sent to the collector: OTEL_* variables"), "{stderr}");
}

/// What a scraper is told.
fn scraped(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

#[test]
fn the_end_can_be_scraped_once_and_ends_the_program() {
    let arguments = ["run", "--duration", "300ms", "--prometheus", "127.0.0.1:0"];
    let mut command = program(&arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut next_with = |part: &str| loop {
        let mut line = String::new();
        assert!(stderr.read_line(&mut line).expect("a line") > 0, "ended before {part:?}");
        if line.contains(part) {
            return line;
        }
    };
    let where_ = next_with("metrics are at ");
    let address = where_.trim().rsplit("http://").next().expect("a URL").replace("/metrics", "");
    next_with("waiting for a last scrape, for at most 15s");
    let answer = scraped(&address);
    let served = answer
        .lines()
        .filter(|line| line.starts_with("pool_acquires_total{"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    assert!(served.sum::<f64>() > 0.0, "{answer}");
    let (code, stdout, _) = finished(child.wait_with_output().expect("ends"));
    assert_eq!(code, 0);
    assert!(stdout.contains("invariant   held"), "{stdout}");
}
