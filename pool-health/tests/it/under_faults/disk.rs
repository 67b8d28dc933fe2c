//! A disk that is full, truly: a file system of 16 MB in memory, which others have filled.
//!
//! There is room in it for a write-ahead log as large as it gets. It is mounted where only the test sees it:
//! the test runs itself again in a mount namespace of its own, for which it need not be root.

use std::env;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pool_core::{Pool, PoolConfig};
use pool_health::{CustomCheck, Finding, HealthOptions};
use pool_sqlite::rusqlite::Connection;
use pool_sqlite::{SqliteConnection, SqliteDriver, SqliteOptions};
use pool_testkit::{FaultRow, not_tried};

use super::ledger::PROOF;
use super::live::reconfigured;
use super::machine::steadily;
use super::{
    Program, SOON, TABLE, befall, expect_detected, expect_recovered, health_options, pool_config,
};

/// Names the folder with a small disk of its own, once there is one.
const SMALL_DISK: &str = "POOL_HEALTH_SMALL_DISK";

const FAULT: &str = "disk full (tmpfs of 16 MB)";

/// Requests a second.
const RATE: u32 = 100;

// As `docs/health.md` shows it.

/// Writes, which takes a page of the disk. Needs a table: `create table written (bytes)`.
fn writes() -> CustomCheck {
    CustomCheck::on_connection("writes", |sqlite: &mut SqliteConnection| {
        Box::pin(async move {
            let note = "insert into written values (zeroblob(8192)); delete from written";
            match sqlite.execute_batch(note).await {
                Ok(()) => Finding::Fine,
                Err(error) if error.is_busy() => Finding::Unknown(error.to_string()),
                Err(error) => Finding::Failed(error.to_string()),
            }
        })
    })
}

fn options() -> HealthOptions {
    HealthOptions { checks: vec![Arc::new(writes())], ..health_options() }
}

fn rows(path: &Path) -> Vec<i64> {
    let plain = Connection::open(path).expect("opened");
    let mut rows = plain.prepare("SELECT number FROM ledger").expect("a table");
    let rows = rows.query_map([], |row| row.get(0)).expect("asked");
    rows.map(|row| row.expect("a number")).collect()
}

fn prepare(path: &Path) {
    let plain = Connection::open(path).expect("opened");
    plain.execute_batch(TABLE).expect("made");
    plain.execute_batch("CREATE TABLE written (bytes BLOB)").expect("made");
}

/// Takes all that is left of a disk.
fn fill(path: &Path) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    for size in [64 * 1024, 1024, 1] {
        let bytes = vec![0x55; size];
        loop {
            match file.write(&bytes) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_disk_full() {
    match env::var_os(SMALL_DISK) {
        Some(folder) => steadily(|| disk_full(Path::new(&folder))).await,
        None => again_on_a_small_disk("under_faults::disk::sqlite_disk_full"),
    }
}

/// Runs a test in a process of its own, with a small disk.
fn again_on_a_small_disk(test: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let mount = "mount -t tmpfs -o size=16m none \"$0\" && exec \"$@\"";
    let alone = ["--user", "--map-root-user", "--mount", "--", "sh", "-c"];
    let unshared = |words: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(alone).arg(mount).arg(folder.path()).args(words);
        command
    };
    let possible = unshared(&["true"]).output();
    match possible {
        Ok(output) if output.status.success() => {}
        other => {
            let why = other.map_or_else(
                |error| error.to_string(),
                |output| String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            );
            not_tried(FAULT, &format!("no mount namespace can be had: {why}"));
            let row = FaultRow {
                fault: FAULT.to_owned(),
                server: "sqlite".to_owned(),
                ready: "NOT TRIED".to_owned(),
                ..FaultRow::default()
            };
            row.tell();
            return;
        }
    }
    let program = env::current_exe().expect("known");
    let program = program.to_str().expect("plain");
    let mut command = unshared(&[program, "--exact", test, "--nocapture"]);
    let ended = command.env(SMALL_DISK, folder.path()).output().expect("started");
    let said = String::from_utf8_lossy(&ended.stdout);
    let complained = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}\n{complained}");
    assert!(said.contains("1 passed"), "{said}");
}

/// Who writes is told so, what is there is read as ever, and room made is room found.
async fn disk_full(folder: &Path) {
    let own = tempfile::tempdir_in(folder).expect("a folder");
    let path = own.path().join("test.db");
    prepare(&path);
    let driver = SqliteDriver::new(SqliteOptions::file(&path));
    let pool = Pool::new(driver, pool_config()).expect("valid");
    let program = Program::start(pool, options()).await;
    let load = program.load(RATE).await;

    let begun = Instant::now();
    let filler = own.path().join("others");
    befall(|| fill(&filler));
    let detected = program.ready.until(|is_ready| !is_ready).await - begun;
    expect_detected(detected);
    let said = program.probes.ready().reasons.join("; ");
    assert!(said.contains("full"), "{said}");
    load.fails(RATE as usize).await;
    let mut reader = program.pool.acquire().await.expect("served");
    let count = reader.query_row("SELECT count(*) FROM ledger", [], |row| row.get::<_, i64>(0));
    assert!(count.await.expect("read") > 0);
    drop(reader);
    befall(|| fs::remove_file(&filler));
    let ended = Instant::now();
    let rose = program.ready.until(|is_ready| *is_ready).await;
    let recovered = rose.saturating_duration_since(ended);
    expect_recovered(recovered);
    load.is_served_since(rose + SOON, PROOF).await;

    assert_eq!(program.ready.told(), [true, false, true]);
    let ledger = load.end().await;
    ledger.expect_served_since(rose + SOON);
    ledger.expect_refused_for(&[]);
    let mut probe = program.pool.control().probe().await.expect("opened");
    let findings = probe.verify(Duration::from_mins(1)).await.expect("able").expect("answered");
    assert_eq!(findings, [""; 0]);
    FaultRow {
        fault: FAULT.to_owned(),
        server: "sqlite".to_owned(),
        ready: "falls".to_owned(),
        detected: Some(detected),
        recovered: Some(recovered),
        ..ledger.balance(&rows(&path))
    }
    .tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_reconfigured_under_full_load() {
    steadily(reconfigured_on_a_file).await;
}

async fn reconfigured_on_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("test.db");
    prepare(&path);
    let driver = SqliteDriver::new(SqliteOptions::file(&path));
    let config = PoolConfig { acquire_timeout: super::LIMIT, ..PoolConfig::default() };
    let pool = Pool::new(driver, config).expect("valid");
    reconfigured("sqlite".to_owned(), pool, || rows(&path)).await;
}
