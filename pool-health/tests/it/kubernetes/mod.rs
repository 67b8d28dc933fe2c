//! The shipped manifest, and a program that is probed by its numbers. A second of them is half a one here.

mod manifest;
mod pod;

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use self::manifest::Manifest;
use self::pod::{ConfigMap, Pod};

const FILE: &str = "pools.toml";
const CONTAINER: &str = "spec.template.spec.containers.visits";

fn scaled(time: Duration) -> Duration {
    time / 2
}

/// A probe of the container.
struct Probe {
    path: String,
    period: Interval,
    /// Not scaled, as the machine is not faster.
    timeout: Duration,
    failure_threshold: u32,
    failures: u32,
    /// What is held of the container.
    passes: bool,
}

impl Probe {
    fn new(deployment: &Manifest, name: &str, passes: bool) -> Self {
        let at = |key: &str| format!("{CONTAINER}.{name}.{key}");
        assert_eq!(deployment.text(&at("httpGet.port")), "probes");
        let mut period = interval(scaled(deployment.seconds(&at("periodSeconds"))));
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            path: deployment.text(&at("httpGet.path")).to_owned(),
            period,
            timeout: match name {
                "startupProbe" => Duration::from_secs(1),
                _ => deployment.seconds(&at("timeoutSeconds")),
            },
            failure_threshold: deployment.number(&at("failureThreshold")),
            failures: 0,
            passes,
        }
    }

    /// Waits for the next turn, asks, and judges as a kubelet does.
    async fn turn(&mut self, address: SocketAddr) -> bool {
        self.period.tick().await;
        if get(address, &self.path, self.timeout).is_ok_and(|status| status == "200") {
            (self.failures, self.passes) = (0, true);
        } else {
            self.failures += 1;
            if self.failures >= self.failure_threshold {
                self.passes = false;
            }
        }
        self.passes
    }
}

/// The status of an answer.
fn get(address: SocketAddr, path: &str, timeout: Duration) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: kube-probe/1.34\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.split(' ').nth(1).unwrap_or_default().to_owned())
}

#[test]
fn a_program_is_started_made_ready_and_ended_by_the_numbers_of_the_manifest() {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(kubelet());
}

async fn kubelet() {
    let deployment = Manifest::shipped("Deployment");
    let database = tempfile::tempdir().expect("a folder");
    let url_file = database.path().join("url");
    let visits = database.path().join("visits.db");
    std::fs::write(&url_file, format!("sqlite:{}", visits.display())).expect("written");
    let pools = Manifest::shipped("ConfigMap").text("data.pools.toml").to_owned();
    let pools = pools.replace("/run/secrets/visits/url", &url_file.display().to_string());
    let mut config_map = ConfigMap::new(FILE, &pools);

    let scaled_seconds = |variable: &str| {
        let seconds = deployment.seconds(&format!("{CONTAINER}.env.{variable}.value"));
        scaled(seconds).as_secs_f64().to_string()
    };
    let mut pod = Pod::start(&[
        ("POOLS_FILE", &config_map.path().join(FILE).display().to_string()),
        ("PROBES_ADDRESS", "127.0.0.1:0"),
        ("SERVICE_ADDRESS", "127.0.0.1:0"),
        ("SHUTDOWN_NOTICE_SECONDS", &scaled_seconds("SHUTDOWN_NOTICE_SECONDS")),
        ("SHUTDOWN_DRAIN_SECONDS", &scaled_seconds("SHUTDOWN_DRAIN_SECONDS")),
    ]);

    let mut startup = Probe::new(&deployment, "startupProbe", false);
    while !startup.turn(pod.probes).await {
        assert!(startup.failures < startup.failure_threshold, "it is killed: it does not start");
    }
    let mut live = Probe::new(&deployment, "livenessProbe", true);
    let mut ready = Probe::new(&deployment, "readinessProbe", false);
    assert!(ready.turn(pod.probes).await, "what has started is ready");
    assert_eq!(pod.visit(), "you are number 1\n");

    // A file that is wrong is refused, and the service goes on.
    config_map.change(FILE, &pools.replace("max_open = 8", "max_opne = 9"));
    let refusal = pod.until_it_says("the configuration is refused");
    assert!(refusal.contains("did you mean"), "{refusal}");
    assert!(ready.turn(pod.probes).await && live.turn(pod.probes).await);
    assert_eq!(pod.visit(), "you are number 2\n");
    config_map.change(FILE, &pools.replace("max_open = 8", "max_open = 9"));
    let outcome = pod.until_it_says("the configuration is applied");
    assert!(outcome.contains("visits: max_open 8 -> 9"), "{outcome}");
    assert!(ready.turn(pod.probes).await && live.turn(pod.probes).await);

    pod.terminate();
    let terminated = Instant::now();
    // Whoever has not heard is served until the notice is over.
    while ready.turn(pod.probes).await {}
    assert_eq!(get(pod.probes, &live.path, live.timeout).expect("it lives"), "200");
    assert_eq!(pod.visit(), "you are number 3\n");
    let report = pod.until_it_says("ended after ");
    assert!(pod.until_it_says("visits: ").ends_with("every connection was back"), "{report}");
    let grace = deployment.seconds("spec.template.spec.terminationGracePeriodSeconds");
    let mut looks = interval(Duration::from_millis(10));
    let status = loop {
        looks.tick().await;
        assert!(terminated.elapsed() < scaled(grace), "it is killed: its time is over");
        if let Some(status) = pod.ended() {
            break status;
        }
    };
    assert_eq!(status.code(), Some(0));
}

#[test]
fn the_manifest_fits_the_program_and_itself() {
    let deployment = Manifest::shipped("Deployment");
    let of_pod = |path: &str| format!("spec.template.spec.{path}");
    let of_container = |path: &str| format!("{CONTAINER}.{path}");
    let environment = |variable: &str| of_container(&format!("env.{variable}.value"));

    let notice = deployment.seconds(&environment("SHUTDOWN_NOTICE_SECONDS"));
    let drain = deployment.seconds(&environment("SHUTDOWN_DRAIN_SECONDS"));
    let grace = deployment.seconds(&of_pod("terminationGracePeriodSeconds"));
    assert!(notice + drain < grace, "it would be killed while it ends");
    let defaults = pool_health::ShutdownOptions::default();
    assert_eq!((notice, drain), (defaults.notice, defaults.drain));
    let unready = deployment.seconds(&of_container("readinessProbe.periodSeconds"))
        * deployment.number(&of_container("readinessProbe.failureThreshold"));
    assert!(unready < notice, "nobody would know that it is not ready");

    for (address, port) in [("PROBES_ADDRESS", "probes"), ("SERVICE_ADDRESS", "service")] {
        let port = deployment.text(&of_container(&format!("ports.{port}.containerPort")));
        assert_eq!(deployment.text(&environment(address)), format!("0.0.0.0:{port}"));
    }
    let mounted = |volume: &str| {
        deployment.text(&of_container(&format!("volumeMounts.{volume}.mountPath"))).to_owned()
    };
    assert_eq!(deployment.text(&environment("POOLS_FILE")), format!("{}/{FILE}", mounted("pools")));
    let config_map = Manifest::shipped("ConfigMap");
    let url_file = format!("url_file = \"{}/url\"\n", mounted("database"));
    assert!(config_map.text("data.pools.toml").contains(&url_file));
    let secret = Manifest::shipped("Secret");
    assert!(secret.text("stringData.url").starts_with("postgres://"));
    for (volume, kind, document) in [
        ("pools.configMap.name", "ConfigMap", config_map),
        ("database.secret.secretName", "Secret", secret),
    ] {
        let named = deployment.text(&of_pod(&format!("volumes.{volume}")));
        assert_eq!(named, document.text("metadata.name"), "{kind}");
    }
}
