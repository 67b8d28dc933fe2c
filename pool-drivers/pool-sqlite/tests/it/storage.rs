//! What a probe is told of the database's files.

use std::fs::OpenOptions;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::time::Duration;

use pool_core::{Driver as _, Pool, Probe, StorageQuery as _};
use pool_sqlite::{JournalMode, SqliteDriver, SqliteOptions};

use crate::rig::{Directory, LIMIT, connect, pool_of_one, unique_name, within};

const PAGE_BYTES: u64 = 4096;
const FILL: &str = "CREATE TABLE notes (text TEXT); \
                    WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 2000) \
                    INSERT INTO notes SELECT printf('%1000d', x) FROM c";

async fn probe(pool: &Pool<SqliteDriver>) -> Box<dyn Probe> {
    pool.control().probe().await.expect("opened")
}

async fn wal_bytes(probe: &mut dyn Probe) -> u64 {
    within(probe.storage()).await.expect("able").expect("answered").wal_bytes
}

async fn verify(probe: &mut dyn Probe) -> Vec<String> {
    within(probe.verify(Duration::from_mins(1))).await.expect("able").expect("answered")
}

/// A file with many pages, all of them in it and none in the log.
fn filled() -> Directory {
    let directory = Directory::new();
    directory.plain().execute_batch(FILL).expect("filled");
    directory
}

/// Writes over some pages of the file, past SQLite.
fn damage(directory: &Directory, pages: std::ops::Range<u64>) {
    let mut file = OpenOptions::new().write(true).open(directory.path("test.db")).expect("opened");
    file.seek(SeekFrom::Start(pages.start * PAGE_BYTES)).expect("there");
    let length = (pages.end - pages.start) * PAGE_BYTES;
    file.write_all(&vec![0x55; usize::try_from(length).expect("few")]).expect("written");
}

#[tokio::test]
async fn the_log_is_measured_as_it_grows() {
    let directory = Directory::new();
    let pool = pool_of_one(directory.options());
    let mut probe = probe(&pool).await;
    let mut guard = pool.acquire().await.expect("opened");
    guard.execute_batch(FILL).await.expect("filled");
    let bytes = wal_bytes(&mut *probe).await;
    assert!(bytes > 2_000_000, "{bytes}");
    let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
    guard.query_row(sql, [], |_| Ok(())).await.expect("truncated");
    assert_eq!(wal_bytes(&mut *probe).await, 0);
}

#[tokio::test]
async fn without_a_log_there_is_nothing_to_measure() {
    let directory = Directory::new();
    let options = SqliteOptions { journal_mode: JournalMode::Truncate, ..directory.options() };
    let pool = pool_of_one(options);
    pool.acquire().await.expect("opened").execute_batch(FILL).await.expect("filled");
    assert_eq!(wal_bytes(&mut *probe(&pool).await).await, 0);
}

#[cfg(unix)]
#[tokio::test]
async fn the_log_of_a_database_behind_a_link_is_beside_the_database() {
    let (directory, elsewhere) = (Directory::new(), Directory::new());
    let link = elsewhere.path("link.db");
    std::os::unix::fs::symlink(directory.path("test.db"), &link).expect("linked");
    let pool = pool_of_one(SqliteOptions::file(link));
    let mut guard = pool.acquire().await.expect("opened");
    guard.execute_batch(FILL).await.expect("filled");
    assert!(wal_bytes(&mut *probe(&pool).await).await > 0);
}

#[tokio::test]
async fn a_database_in_memory_has_no_files_to_ask_about() {
    for options in [SqliteOptions::private_memory(), SqliteOptions::shared_memory(unique_name())] {
        assert!(SqliteDriver::new(options).capabilities().storage.is_none());
    }
}

#[tokio::test]
async fn a_sound_database_is_verified_while_it_is_written_to() {
    let directory = filled();
    let pool = pool_of_one(directory.options());
    let mut probe = probe(&pool).await;
    let writer = directory.lock_writes();
    writer.execute("INSERT INTO notes VALUES ('x')", []).expect("written");
    assert!(verify(&mut *probe).await.is_empty());
    writer.execute_batch("COMMIT").expect("committed");
    assert!(verify(&mut *probe).await.is_empty());
}

#[tokio::test]
async fn a_file_that_is_damaged_after_it_was_found_sound_is_found_out() {
    let directory = filled();
    let pool = pool_of_one(directory.options());
    let mut probe = probe(&pool).await;
    assert!(verify(&mut *probe).await.is_empty());
    damage(&directory, 10..11);
    let findings = verify(&mut *probe).await;
    assert!(!findings.is_empty() && findings.iter().all(|finding| !finding.contains("***")));
    assert!(findings.iter().any(|finding| finding.contains("11")), "{findings:?}");
    within(probe.ping()).await.expect("goes on");
}

#[tokio::test]
async fn of_a_heap_of_findings_some_are_told() {
    let directory = filled();
    let pool = pool_of_one(directory.options());
    let mut probe = probe(&pool).await;
    damage(&directory, 10..200);
    assert_eq!(verify(&mut *probe).await.len(), 20);
}

#[tokio::test]
async fn a_file_that_is_no_database_any_more_is_a_finding_too() {
    let directory = filled();
    let pool = pool_of_one(directory.options());
    let mut probe = probe(&pool).await;
    damage(&directory, 0..1);
    let findings = verify(&mut *probe).await;
    assert_eq!(findings.len(), 1, "{findings:?}");
}

#[tokio::test]
async fn a_verification_that_waits_for_a_lock_ends_with_the_lock_s_own_error() {
    let directory = Directory::new();
    let options = SqliteOptions { journal_mode: JournalMode::Truncate, ..directory.options() };
    let options = SqliteOptions { busy_timeout: LIMIT / 1000, ..options };
    let driver = SqliteDriver::new(options.clone());
    let mut connection = connect(options).await;
    let _lock = directory.lock_all();
    let error = within(driver.verify(&mut connection)).await.expect_err("locked");
    assert!(error.is_busy(), "{error}");
}
