//! The process that keeps servers running after `db up` has ended.
//!
//! It writes a file with the settings of its servers, and ends when that is gone: to stop it is to
//! remove the file. No process is ever killed by a number that was read somewhere.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use pool_testkit::servers::{Access, Fetching, Product, Server, Setup, cache};

/// How often the keeper looks whether its file is still there, and others whether it is.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Longer than servers take to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the keeper says once its servers answer.
const READY: &str = "ready";

/// What is written of a keeper that runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept {
    process: u32,
    /// What tests find in their environment.
    pub(super) settings: Vec<(String, String)>,
}

fn file() -> PathBuf {
    cache().join("up")
}

/// Starts a keeper of `servers` and waits until they answer.
pub(super) fn start(servers: &[Product], offline: bool) -> Result<()> {
    if kept()?.is_some() {
        bail!("servers are up already; stop them with `cargo xtask db down`");
    }
    // A session of its own: closing the terminal does not end it.
    let mut command = Command::new("setsid");
    command.arg(env::current_exe()?).args(["db", "keep"]);
    command.args(servers.iter().map(|server| server.name()));
    command.args(offline.then_some("--offline"));
    // Nothing of ours stays open in it: whoever reads our output to its end must not wait for the
    // servers'.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut keeper = command.spawn().context("cannot start `setsid` (package util-linux)")?;
    let stdout = keeper.stdout.take().expect("bug: stdout is piped");
    let stderr = keeper.stderr.take().expect("bug: stderr is piped");
    let told = thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            eprintln!("{line}");
        }
    });
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        if line == READY {
            return Ok(());
        }
        println!("{line}");
    }
    let status = keeper.wait()?;
    let _ = told.join();
    bail!("the servers did not start ({status})")
}

/// Is a keeper until its file is gone.
pub(super) fn keep(servers: &[Product], fetching: Fetching) -> Result<()> {
    let mut running = Vec::new();
    for product in servers {
        let server = Server::start_as(Setup { fetching, ..Setup::new(*product) })?;
        let access = server.access();
        println!("{product}: {} at {}:{}", access.user, access.host, access.port);
        running.push(server);
    }
    let path = file();
    let settings = settings(running.iter().map(Server::access));
    let kept = Kept { process: process::id(), settings };
    fs::write(&path, kept.to_text()).with_context(|| cannot("write", &path))?;
    println!("{READY}");
    let is_ours = |text: String| text == kept.to_text();
    while fs::read_to_string(&path).is_ok_and(is_ours) {
        thread::sleep(BETWEEN_LOOKS);
    }
    Ok(())
}

/// What tests find in their environment.
fn settings<'a>(servers: impl Iterator<Item = &'a Access>) -> Vec<(String, String)> {
    let (mut families, mut settings) = (Vec::new(), Vec::new());
    for access in servers {
        let family = access.product.family();
        // Of two servers of a family tests use the one that was named first.
        if !families.contains(&family) {
            families.push(family);
            let own = access.environment().into_iter();
            settings.extend(
                own.map(|(name, value)| (name.to_owned(), value.to_string_lossy().into_owned())),
            );
        }
    }
    settings
}

/// Stops the keeper and waits until it is gone; whether there was one.
pub(super) fn stop() -> Result<bool> {
    let Some(Kept { process, .. }) = kept()? else { return Ok(false) };
    let path = file();
    fs::remove_file(&path).with_context(|| cannot("remove", &path))?;
    let deadline = Instant::now() + PATIENCE;
    while is_keeper(process) {
        if Instant::now() > deadline {
            bail!("the process {process} has not stopped its servers within {PATIENCE:?}");
        }
        thread::sleep(BETWEEN_LOOKS);
    }
    Ok(true)
}

/// The keeper that runs, if one does.
pub(super) fn kept() -> Result<Option<Kept>> {
    let path = file();
    let Ok(text) = fs::read_to_string(&path) else { return Ok(None) };
    let kept = Kept::from_text(&text)
        .with_context(|| format!("{} is not as `db up` writes it; remove it", path.display()))?;
    Ok(is_keeper(kept.process).then_some(kept))
}

fn is_keeper(process: u32) -> bool {
    let words = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    words.split(|byte| *byte == 0).any(|word| word == b"keep")
}

impl Kept {
    fn to_text(&self) -> String {
        let settings = self.settings.iter().map(|(name, value)| format!("{name}={value}\n"));
        format!("process={}\n{}", self.process, settings.collect::<String>())
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.lines().map(|line| line.split_once('='));
        let (_, process) = lines.next()??;
        let settings =
            lines.map(|line| line.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Some(Self { process: process.parse().ok()?, settings: settings.collect::<Option<_>>()? })
    }
}

fn cannot(task: &str, path: &Path) -> String {
    format!("cannot {task} {}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_servers_of_a_family_everything_is_said_of_the_first_and_nothing_of_the_other() {
        let given = |product, url| Access::given(product, url, "a test").expect("valid");
        let first = given(Product::Postgres18, "postgres://me:secret@there:1/test");
        let other = given(Product::Postgres15, "postgres://me:secret@there:2/test");
        let other = Access { authority: Some("/the/others.pem".into()), ..other };
        let mysql = given(Product::MariaDb, "mysql://me:secret@there:3/test");
        let settings = settings([&first, &other, &mysql].into_iter());
        let setting = |name, value: &str| (format!("TESTKIT_{name}"), value.to_owned());
        let expected = [
            setting("POSTGRES", "postgres-18"),
            setting("POSTGRES_URL", "postgres://me:secret@there:1/test"),
            setting("MYSQL", "mariadb"),
            setting("MYSQL_URL", "mysql://me:secret@there:3/test"),
        ];
        assert_eq!(settings, expected);
    }

    #[test]
    fn what_is_written_of_a_keeper_is_read_again() {
        let settings = vec![("A_URL".to_owned(), "a://b?c=d".to_owned())];
        let kept = Kept { process: 7, settings };
        assert_eq!(Kept::from_text(&kept.to_text()), Some(kept));
        assert_eq!(Kept::from_text("anything"), None);
    }
}
