//! Prometheus in a process of its own, and promtool.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ask::{encoded, get_json, is_well};
use super::daemon::Daemon;
use super::error::ReceiverError;
use super::tool::{Equipment, Tool};
use crate::servers::account::Account;
use crate::servers::directory::Directory;
use crate::servers::error::Trying;
use crate::servers::port::{self, Port};
use crate::servers::process::BETWEEN_LOOKS;
use crate::servers::program::{PATIENCE, run_for};

/// A Prometheus that scrapes ten times a second. Killed when dropped.
#[derive(Debug)]
pub struct Prometheus {
    daemon: Daemon,
    port: Port,
}

/// What a Prometheus does.
#[derive(Clone, Debug, Default)]
pub struct Scraping {
    /// Whose `/metrics` it scrapes.
    pub targets: Vec<SocketAddr>,
    /// The token that it shows them, if any.
    pub token: Option<String>,
    /// Files with rules.
    pub rules: Vec<PathBuf>,
    /// Where its alerts go.
    pub alertmanager: Option<SocketAddr>,
}

/// A value that an expression has for some labels.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// The labels, `__name__` among them.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// The values that an expression had for some labels.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Series {
    /// The labels, `__name__` among them.
    pub labels: BTreeMap<String, String>,
    /// When, in seconds of Unix time, and which value.
    pub points: Vec<(f64, f64)>,
}

impl Prometheus {
    /// Starts one and waits until it answers.
    ///
    /// # Errors
    ///
    /// It cannot be had, or does not start, as with wrong rules.
    pub fn start(scraping: &Scraping) -> Result<Self, ReceiverError> {
        let daemon = Daemon::new(Tool::Prometheus)?;
        let port = port::free()?;
        let settings = daemon.directory.join("settings.yml");
        fs::write(&settings, scraping.settings()).trying("write", &settings)?;
        let mut command = daemon.equipment.program("usr/bin/prometheus", &daemon.directory);
        command.args(["--config.file=settings.yml", "--storage.tsdb.path=data"]);
        command.arg(format!("--web.listen-address=127.0.0.1:{}", port.number));
        daemon.start(command, |_| is_well(port.number, "/-/ready"))?;
        Ok(Self { daemon, port })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number)
    }

    /// What `expression` yields now.
    ///
    /// # Errors
    ///
    /// It is no expression, or does not yield a value for each of some labels.
    pub fn query(&self, expression: &str) -> Result<Vec<Sample>, ReceiverError> {
        let answer = self.ask(&format!("/api/v1/query?query={}", encoded(expression)))?;
        yielded(expression, &answer, sample)
    }

    /// What `expression` yielded from one moment to another, in seconds of Unix time, at every `step`.
    ///
    /// # Errors
    ///
    /// As [`query`](Self::query).
    pub fn range(
        &self,
        expression: &str,
        (start, end): (f64, f64),
        step: Duration,
    ) -> Result<Vec<Series>, ReceiverError> {
        let (asked, step) = (encoded(expression), step.as_secs_f64());
        let range = format!("query={asked}&start={start}&end={end}&step={step}");
        let answer = self.ask(&format!("/api/v1/query_range?{range}"))?;
        yielded(expression, &answer, series)
    }

    /// What `expression` yields, as soon as that is anything.
    ///
    /// # Errors
    ///
    /// As [`query`](Self::query), or it yields nothing within `bound`; the error says how its targets
    /// fare.
    pub fn wait_for(
        &self,
        expression: &str,
        bound: Duration,
    ) -> Result<Vec<Sample>, ReceiverError> {
        let deadline = Instant::now() + bound;
        loop {
            let samples = self.query(expression)?;
            if !samples.is_empty() {
                return Ok(samples);
            }
            if Instant::now() > deadline {
                let awaited = format!("a value of `{expression}`");
                let instead = self.targets()?.join("\n");
                return Err(ReceiverError::Silent { awaited, waited: bound, instead });
            }
            thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// How each of its targets fares: `http://127.0.0.1:1/metrics: down, connection refused`.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn targets(&self) -> Result<Vec<String>, ReceiverError> {
        let answer = self.ask("/api/v1/targets?state=active")?;
        let targets = answer["data"]["activeTargets"].as_array().into_iter().flatten();
        let told = |target: &Value| {
            let [url, health, error] = ["scrapeUrl", "health", "lastError"]
                .map(|field| target[field].as_str().unwrap_or_default());
            if error.is_empty() {
                format!("{url}: {health}")
            } else {
                format!("{url}: {health}, {error}")
            }
        };
        Ok(targets.map(told).collect())
    }

    /// The number of its process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.daemon.pid()
    }

    fn ask(&self, path: &str) -> Result<Value, ReceiverError> {
        Ok(get_json(self.port.number, path).trying_to("ask Prometheus")?)
    }
}

impl Scraping {
    /// What Prometheus reads; JSON is YAML.
    fn settings(&self) -> String {
        const OFTEN: &str = "100ms";
        let addresses = |addresses: &[SocketAddr]| {
            let addresses: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
            json!([{ "targets": addresses }])
        };
        let mut scraped = json!({
            "job_name": "pools",
            "static_configs": addresses(&self.targets),
        });
        if let Some(token) = &self.token {
            scraped["authorization"] = json!({ "credentials": token });
        }
        let alertmanager = self.alertmanager.as_slice();
        json!({
            "global": { "scrape_interval": OFTEN, "scrape_timeout": OFTEN, "evaluation_interval": OFTEN },
            "rule_files": self.rules,
            "scrape_configs": [scraped],
            "alerting": { "alertmanagers": [{ "static_configs": addresses(alertmanager) }] },
        })
        .to_string()
    }
}

/// What `read` makes of each result of an expression.
fn yielded<T>(
    expression: &str,
    answer: &Value,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<T>, ReceiverError> {
    let results = answer["data"]["result"].as_array();
    results.and_then(|results| results.iter().map(read).collect()).ok_or_else(|| {
        let message = format!("`{expression}`: {}", answer["error"].as_str().unwrap_or("?"));
        ReceiverError::Refused { tool: Tool::Prometheus, message }
    })
}

/// `{"metric": {...}, "value": [time, "1"]}`
fn sample(value: &Value) -> Option<Sample> {
    Some(Sample { labels: labels(value)?, value: point(&value["value"])?.1 })
}

/// `{"metric": {...}, "values": [[time, "1"], ...]}`
fn series(value: &Value) -> Option<Series> {
    let points = value["values"].as_array()?.iter().map(point).collect::<Option<_>>()?;
    Some(Series { labels: labels(value)?, points })
}

fn labels(value: &Value) -> Option<BTreeMap<String, String>> {
    let labels = value["metric"].as_object()?.iter();
    let label = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    labels.map(label).collect()
}

fn point(value: &Value) -> Option<(f64, f64)> {
    Some((value[0].as_f64()?, value[1].as_str()?.parse().ok()?))
}

/// Prometheus' judge of rules and of metrics.
#[derive(Debug)]
pub struct Promtool {
    equipment: Equipment,
    directory: Directory,
}

impl Promtool {
    /// Finds it, fetched if need be.
    ///
    /// # Errors
    ///
    /// It cannot be had.
    pub fn find() -> Result<Self, ReceiverError> {
        let directory = Directory::new(Account::present())?;
        Ok(Self { equipment: Equipment::find(Tool::Prometheus)?, directory })
    }

    /// Whether a file of rules is right; what it says of it.
    ///
    /// # Errors
    ///
    /// It is not.
    pub fn check_rules(&self, file: &Path) -> Result<String, ReceiverError> {
        self.run("approve of the rules", &["check", "rules"], Some(file), "")
    }

    /// Whether the tests in a file pass; what it says of them.
    ///
    /// # Errors
    ///
    /// They do not.
    pub fn test_rules(&self, file: &Path) -> Result<String, ReceiverError> {
        self.run("approve of the rules", &["test", "rules"], Some(file), "")
    }

    /// Whether a text of metrics is right and as is usual.
    ///
    /// # Errors
    ///
    /// It is not.
    pub fn check_metrics(&self, text: &str) -> Result<String, ReceiverError> {
        self.run("approve of the metrics", &["check", "metrics"], None, text)
    }

    fn run(
        &self,
        task: &str,
        words: &[&str],
        file: Option<&Path>,
        input: &str,
    ) -> Result<String, ReceiverError> {
        let mut command = self.equipment.program("usr/bin/promtool", &self.directory);
        command.args(words).args(file);
        Ok(run_for(task, command, input, PATIENCE)?)
    }
}
