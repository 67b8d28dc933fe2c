//! Each workload on SQLite: that its invariant holds, and that it does not hold too easily.

use std::time::Duration;

use fastrand::Rng;
use pool_core::{Pool, PoolConfig};
use pool_sqlite::{SqliteDriver, SqliteOptions};
use tempfile::TempDir;

use super::*;
use crate::workload::{Checked, Step, StepError, Workload};

async fn opened(options: SqliteOptions) -> Pool<SqliteDriver> {
    Pool::open(SqliteDriver::new(options), PoolConfig::default()).await.expect("opened")
}

/// Does operations of whatever kinds are drawn, and says how often each was.
async fn work<W: Workload<SqliteDriver>>(
    workload: &W,
    pool: &Pool<SqliteDriver>,
    count: usize,
) -> Result<Vec<usize>, StepError> {
    let (mut connection, mut rng) = (pool.acquire().await.expect("idle"), Rng::with_seed(1));
    let mut drawn = vec![0; workload.kinds().len()];
    for _ in 0..count {
        let kind = workload.draw(&mut rng);
        drawn[kind] += 1;
        let (connection, rng) = (&mut *connection, &mut rng);
        workload.step(Step { kind, connection, pool, rng }).await?;
    }
    Ok(drawn)
}

/// The tables of the workload.
async fn tables(pool: &Pool<SqliteDriver>) -> Vec<String> {
    let mut connection = pool.acquire().await.expect("idle");
    let tables = "select name from sqlite_schema where type = 'table'";
    connection.query(tables, (), |row| row.get(0)).await.expect("read")
}

/// Runs statements in which tables have only the last word of their names, in capitals.
async fn tamper(pool: &Pool<SqliteDriver>, statements: &str) {
    let mut statements = statements.to_owned();
    for name in tables(pool).await {
        let last = name.rsplit('_').next().expect("a part").to_uppercase();
        statements = statements.replace(&last, &name);
    }
    let mut connection = pool.acquire().await.expect("idle");
    connection.execute_batch(&statements).await.expect("done");
}

/// A workload that was prepared, and did a hundred operations.
async fn used<W: Workload<SqliteDriver>>(name: &str, workload: W) -> (W, Pool<SqliteDriver>) {
    let pool = opened(SqliteOptions::shared_memory(name)).await;
    workload.prepare(&pool).await.expect("prepared");
    work(&workload, &pool, 100).await.expect("done");
    (workload, pool)
}

async fn checked<W: Workload<SqliteDriver>>(workload: &W, pool: &Pool<SqliteDriver>) -> Checked {
    workload.verify(pool).await.expect("checked")
}

fn assert_held(checked: &Checked, words: &str) {
    assert!(matches!(checked, Checked::Held(all) if all.contains(words)), "{checked:?}");
}

fn assert_broken(checked: &Checked, words: &str) {
    assert!(matches!(checked, Checked::Broken(all) if all.contains(words)), "{checked:?}");
}

async fn holds_and_leaves_nothing<W: Workload<SqliteDriver>>(name: &str, workload: W, words: &str) {
    let (workload, pool) = used(name, workload).await;
    assert_held(&checked(&workload, &pool).await, words);
    workload.clean_up(&pool).await.expect("dropped");
    assert_eq!(tables(&pool).await, Vec::<String>::new());
    workload.clean_up(&pool).await.expect("there is nothing left to drop");
}

#[tokio::test]
async fn each_invariant_holds_after_work_and_nothing_is_left_behind() {
    let rows = "100 000 rows add up to ";
    holds_and_leaves_nothing("point_read", PointRead::new(), rows).await;
    holds_and_leaves_nothing("mix", Mix::new(5), rows).await;
    let counted = "counts 100 transactions, and 100 were reported as done";
    holds_and_leaves_nothing("tpcb_like", TpcbLike::new(2), counted).await;
    let counted = "counts 100 changes, and 100 were reported as done";
    holds_and_leaves_nothing("long", LongTransactions::new(Duration::ZERO), counted).await;
}

#[tokio::test]
async fn rows_that_are_changed_meanwhile_break_the_invariant_of_reads() {
    for change in
        ["update ROWS set value = value + 1 where id = 7", "delete from ROWS where id = 0"]
    {
        let (workload, pool) = used("changed_rows", PointRead::new()).await;
        tamper(&pool, change).await;
        assert_broken(&checked(&workload, &pool).await, "; at the start 100 000 rows added up to");
        workload.clean_up(&pool).await.expect("dropped");
    }
}

#[tokio::test]
async fn a_row_that_is_gone_is_an_error_of_the_read() {
    let (workload, pool) = used("gone_rows", PointRead::new()).await;
    tamper(&pool, "delete from ROWS").await;
    let error = work(&workload, &pool, 1).await.expect_err("gone");
    assert!(error.to_string().ends_with("_rows is not there any more"), "{error}");
}

#[tokio::test]
async fn an_update_that_was_lost_breaks_the_invariant_of_tpcb_like() {
    for lost in [
        "update TELLERS set balance = balance - 1 where id = 3",
        "update BRANCHES set balance = balance + 1 where id = 0",
        "update ACCOUNTS set balance = balance - 1 where id = 70000",
        "insert into HISTORY select teller, branch, account, 1, at from HISTORY limit 1",
    ] {
        let (workload, pool) = used("lost_update", TpcbLike::new(1)).await;
        tamper(&pool, lost).await;
        assert_broken(&checked(&workload, &pool).await, ", which must be the same");
        workload.clean_up(&pool).await.expect("dropped");
    }
}

#[tokio::test]
async fn a_transaction_of_tpcb_like_that_was_lost_whole_breaks_the_invariant() {
    let (workload, pool) = used("lost_whole", TpcbLike::new(1)).await;
    // All sums remain the same as each other.
    tamper(
        &pool,
        "create temp table lost as select rowid as number, * from HISTORY limit 1;
         update TELLERS set balance = balance - (select delta from lost) where id = 0;
         update BRANCHES set balance = balance - (select delta from lost) where id = 0;
         update ACCOUNTS set balance = balance - (select delta from lost) where id = 0;
         delete from HISTORY where rowid = (select number from lost)",
    )
    .await;
    let words = "counts 99 transactions, and 100 were reported as done";
    assert_broken(&checked(&workload, &pool).await, words);
}

#[tokio::test]
async fn a_change_that_was_lost_breaks_the_invariant_of_long_transactions() {
    let workload = LongTransactions::new(Duration::ZERO);
    let (workload, pool) = used("lost_change", workload).await;
    tamper(&pool, "update HELD set changes = changes - 1 where changes > 0").await;
    assert_broken(&checked(&workload, &pool).await, "and 100 were reported as done");
}

#[tokio::test]
async fn slow_operations_are_as_many_as_was_asked_for() {
    let pool = opened(SqliteOptions::shared_memory("slow")).await;
    for (slow_percent, expected) in [(0, 0..=0), (5, 20..=90), (100, 1000..=1000)] {
        let mix = Mix::new(slow_percent);
        mix.prepare(&pool).await.expect("prepared");
        let drawn = work(&mix, &pool, 1000).await.expect("done");
        assert!(expected.contains(&drawn[1]), "{slow_percent} %: {drawn:?}");
        mix.clean_up(&pool).await.expect("dropped");
    }
}

#[tokio::test]
async fn a_preparation_that_failed_half_way_is_cleaned_up() {
    let pool = opened(SqliteOptions::shared_memory("half_way")).await;
    let workload = TpcbLike::new(1);
    workload.prepare(&pool).await.expect("prepared");
    tamper(&pool, "drop table HISTORY").await;
    workload.prepare(&pool).await.expect_err("the others are there already");
    workload.clean_up(&pool).await.expect("dropped");
    assert_eq!(tables(&pool).await, Vec::<String>::new());
}

#[tokio::test]
async fn reads_do_not_wait_for_a_writer_and_writes_do() {
    const SQL: &str = "\
-- setup
create table shop (id integer);
-- name: both
select count(*) from shop;
select max(id) from shop;";
    let directory = TempDir::new().expect("made");
    let options = SqliteOptions::file(directory.path().join("locked.db"));
    let pool = opened(SqliteOptions { busy_timeout: Duration::from_millis(1), ..options }).await;
    let reads = PointRead::new();
    reads.prepare(&pool).await.expect("prepared");
    let mix = Mix::new(50);
    mix.prepare(&pool).await.expect("prepared");
    let selects = Custom::read("shop.sql", SQL.as_bytes()).expect("right");
    selects.prepare(&pool).await.expect("prepared");
    let writes = TpcbLike::new(1);
    writes.prepare(&pool).await.expect("prepared");

    let mut holder = pool.acquire().await.expect("idle");
    holder.execute_batch("begin immediate; delete from shop").await.expect("it has the lock");
    work(&reads, &pool, 20).await.expect("not disturbed");
    work(&mix, &pool, 20).await.expect("not disturbed");
    work(&selects, &pool, 20).await.expect("not disturbed");
    let error = work(&writes, &pool, 1).await.expect_err("there is one lock");
    assert!(error.to_string().contains("locked"), "{error}");
    holder.execute_batch("rollback").await.expect("undone");
    work(&writes, &pool, 1).await.expect("the lock is free again");
}

#[tokio::test]
async fn a_transaction_that_is_dropped_while_it_is_held_open_is_rolled_back() {
    let directory = TempDir::new().expect("made");
    let options = SqliteOptions::file(directory.path().join("held.db"));
    let others = SqliteOptions { busy_timeout: Duration::ZERO, ..options.clone() };
    let (pool, others) = (alone(options).await, alone(others).await);
    let workload = LongTransactions::new(Duration::from_hours(1));
    workload.prepare(&pool).await.expect("prepared");
    let mut other = others.acquire().await.expect("idle");
    let held = async {
        while other.execute_batch("begin immediate; rollback").await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        done = work(&workload, &pool, 1) => panic!("not before an hour has passed: {done:?}"),
        () = held => {}
    }
    // The pool has one connection, which it lends again only once it is clean.
    drop(pool.acquire().await.expect("clean"));
    other.execute_batch("begin immediate; rollback").await.expect("nobody holds the lock");
    let words = "counts 0 changes, and 0 were reported as done and 1 failed or were dropped";
    assert_held(&checked(&workload, &pool).await, words);
}

/// A pool of one connection.
async fn alone(options: SqliteOptions) -> Pool<SqliteDriver> {
    let config = PoolConfig { max_open: 1, ..PoolConfig::default() };
    Pool::open(SqliteDriver::new(options), config).await.expect("opened")
}
