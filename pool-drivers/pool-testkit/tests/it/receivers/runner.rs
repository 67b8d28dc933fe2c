//! What receivers do when the process that started them is killed.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use pool_testkit::receivers::{Alertmanager, Collector, MailSink, Prometheus, Scraping};

use super::runs;
use crate::servers::rig::eventually;

/// Set for the process that plays the runner.
const RUNNER: &str = "TESTKIT_PLAYS_RUNNER";

#[test]
fn receivers_die_with_their_runner_even_one_that_was_killed() {
    if env::var_os(RUNNER).is_some() {
        play_runner();
    }
    let test = "receivers::runner::receivers_die_with_their_runner_even_one_that_was_killed";
    let mut command = Command::new(env::current_exe().expect("a test"));
    command.args(["--exact", test, "--nocapture"]);
    let mut runner = command.env(RUNNER, "").stdout(Stdio::piped()).spawn().expect("started");
    let mut lines = BufReader::new(runner.stdout.take().expect("piped")).lines();
    let line = lines.find_map(|line| Some(line.ok()?.strip_prefix("pids ")?.to_owned()));
    let line = line.expect("it started them");
    let pids: Vec<u32> = line.split(' ').map(|pid| pid.parse().expect("a number")).collect();
    assert!(pids.len() == 4 && pids.iter().all(|pid| runs(*pid)), "{pids:?}");
    runner.kill().expect("killed");
    runner.wait().expect("reaped");
    eventually("they are gone", || !pids.iter().any(|pid| runs(*pid)));
}

/// Starts one of each and waits to be killed.
fn play_runner() -> ! {
    let collector = Collector::start().expect("started");
    let mail = MailSink::start().expect("started");
    let alertmanager = Alertmanager::start().expect("started");
    let prometheus = Prometheus::start(&Scraping::default()).expect("started");
    let pids = [collector.pid(), mail.pid(), alertmanager.pid(), prometheus.pid()];
    let pids = pids.map(|pid| pid.expect("it runs").to_string());
    println!("\npids {}", pids.join(" "));
    eventually("killed", || false);
    unreachable!("it was to be killed")
}
