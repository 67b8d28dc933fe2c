//! Dropping the future of a call stops that call, and no other.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use pool_core::{CloseReason, Pool, PoolConfig};
use pool_sqlite::rusqlite::Connection;
use pool_sqlite::{SqliteDriver, SqliteOptions};
use pool_testkit::Hand;

use crate::rig::{
    Directory, ENDLESS, LIMIT, connect, connect_in_memory, drop_once_begun, number, pool_of_one,
    unique_name, within,
};

#[tokio::test]
async fn a_query_without_end_ends_when_its_future_is_dropped() {
    let mut connection = connect_in_memory().await;
    for _ in 0..20 {
        drop_once_begun(&mut connection, |sqlite| {
            sqlite.query_row(ENDLESS, [], |_| Ok(())).expect_err("has no end");
        })
        .await;
        assert_eq!(number(&mut connection, "SELECT 1").await, 1);
    }
}

#[tokio::test]
async fn a_loop_of_tiny_statements_ends_when_its_future_is_dropped() {
    let mut connection = connect_in_memory().await;
    connection.execute_batch("CREATE TABLE notes (text TEXT)").await.expect("created");
    for sql in
        ["BEGIN; COMMIT", "SELECT 1", "INSERT INTO notes VALUES ('x')", "PRAGMA user_version"]
    {
        // Prepared anew each time, so that no count of operations can build up.
        drop_once_begun(&mut connection, |sqlite| while sqlite.execute_batch(sql).is_ok() {}).await;
        assert_eq!(number(&mut connection, "SELECT 1").await, 1, "{sql}");
    }
    drop_once_begun(&mut connection, |sqlite| {
        while sqlite.prepare_cached("SELECT 1").is_ok_and(|mut one| one.exists([]).is_ok()) {}
    })
    .await;
    assert_eq!(number(&mut connection, "SELECT 1").await, 1);
}

#[tokio::test]
async fn a_wait_for_a_lock_ends_when_its_future_is_dropped() {
    let directory = Directory::new();
    let lock = directory.lock_writes();
    let options = SqliteOptions { busy_timeout: Duration::from_hours(1), ..directory.options() };
    // The file is opened in the journal mode it has: changing it would wait for the lock.
    let options = SqliteOptions { journal_mode: pool_sqlite::JournalMode::Delete, ..options };
    let mut connection = connect(options).await;
    for _ in 0..10 {
        drop_once_begun(&mut connection, |sqlite| {
            sqlite.execute_batch("BEGIN IMMEDIATE").expect_err("locked");
        })
        .await;
        assert_eq!(number(&mut connection, "SELECT 1").await, 1);
    }
    drop(lock);
    within(connection.execute_batch("BEGIN IMMEDIATE")).await.expect("free again");
}

#[tokio::test]
async fn a_wait_for_shared_memory_ends_when_its_future_is_dropped() {
    let options = SqliteOptions {
        busy_timeout: Duration::from_hours(1),
        ..SqliteOptions::shared_memory(unique_name())
    };
    let mut holder = connect(options.clone()).await;
    let mut waiter = connect(options).await;
    holder.execute_batch("BEGIN IMMEDIATE").await.expect("locked");
    drop_once_begun(&mut waiter, |sqlite| {
        sqlite.execute_batch("BEGIN IMMEDIATE").expect_err("locked");
    })
    .await;
    assert_eq!(number(&mut waiter, "SELECT 1").await, 1, "the cancelled call is over");
    holder.execute_batch("COMMIT").await.expect("unlocked");
    within(waiter.execute_batch("BEGIN IMMEDIATE; COMMIT")).await.expect("free again");
}

/// The heart of it: a cancel that races the end of its statement stops nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_never_hits_the_next_user() {
    let pool = pool_of_one(SqliteOptions::private_memory());
    let mut random = fastrand::Rng::with_seed(7);
    // How often the statement was dropped before and after its end.
    let (mut before, mut after) = (0, 0);
    for _ in 0..20_000 {
        let mut guard = within(pool.acquire()).await.expect("the next turn");
        {
            let mut call = Hand::new(guard.query_row("SELECT 7", [], |row| row.get::<_, i64>(0)));
            let polled = call.poll();
            // Long enough, at times, for the statement to end just now.
            (0..random.u32(0..4000)).for_each(|_| spin_loop());
            // On a busy machine the thread may not get its turn by chance.
            let to_the_end = polled.is_pending() && random.u8(0..8) == 0;
            while to_the_end && call.wakes() == 0 {
                std::thread::yield_now();
            }
            if polled.is_pending() && call.wakes() == 0 { before += 1 } else { after += 1 }
        }
        if random.bool() {
            drop(guard);
            guard = within(pool.acquire()).await.expect("the next turn");
        }
        // Long enough for a stray cancel to be seen.
        let sum = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 50) \
                   SELECT sum(x) FROM c";
        assert_eq!(number(&mut guard, sum).await, 1275);
    }
    assert!(before > 100 && after > 100, "{before} before the end, {after} after");
    assert_eq!(pool.stats().opened, 1, "and the connection was good all the time");
}

/// golang/go#74831: rows were read while their query was cancelled, and what was read came from the
/// query of the next user. A row cannot leave its closure here; that of a cancelled call runs on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m27_rows_of_a_query_that_was_cut_short_are_never_those_of_the_next_user() {
    let pool = pool_of_one(SqliteOptions::private_memory());
    let mut guard = pool.acquire().await.expect("opened");
    let tables = "CREATE TABLE a (text TEXT); CREATE TABLE b (text TEXT); \
        INSERT INTO a WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 2000) \
            SELECT printf('a%.100c', 'a') FROM c; \
        INSERT INTO b SELECT replace(text, 'a', 'b') FROM a";
    guard.execute_batch(tables).await.expect("created");
    for _ in 0..20 {
        let (tell, told) = mpsc::channel();
        drop_once_begun(&mut guard, move |sqlite| {
            // More rows than anybody will ever read.
            let mut select =
                sqlite.prepare("SELECT a.text FROM a, a AS b, a AS c").expect("prepared");
            let mut rows = select.query([]).expect("begun");
            while let Ok(Some(row)) = rows.next() {
                let text = row.get_ref(0).expect("a column").as_str().expect("text");
                tell.send(text.bytes().all(|byte| byte == b'a')).expect("awaited");
            }
        })
        .await;
        drop(guard);
        guard = within(pool.acquire()).await.expect("the next turn");
        let (right, all) = guard
            .call(|sqlite| {
                let mut select = sqlite.prepare("SELECT text FROM b")?;
                let texts = select.query_map([], |row| row.get::<_, String>(0))?;
                let texts = texts.collect::<Result<Vec<_>, _>>()?;
                let right = texts.iter().filter(|text| text.bytes().all(|byte| byte == b'b'));
                Ok((right.count(), texts.len()))
            })
            .await
            .expect("read");
        assert_eq!((right, all), (2000, 2000));
        // The first user's closure was over before the next user came, and read its own rows alone.
        assert!(told.try_iter().all(|own| own));
        assert_eq!(told.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }
    assert_eq!(pool.stats().opened, 1, "the same connection all the time");
}

/// deadpool-rs/deadpool 2216358, `weiznich/diesel_async` 2f7874e: a blocking closure that panicked or
/// was queued while the runtime was shut down was a second panic.
#[test]
fn m25_a_closure_that_panics_and_those_queued_behind_it_may_outlive_their_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .expect("a runtime");
    let pool = pool_of_one(SqliteOptions::private_memory());
    let (begun, has_begun) = mpsc::channel();
    let (open, gate) = mpsc::channel::<()>();
    let ran = Arc::new(AtomicUsize::new(0));
    let (users, count) = (pool.clone(), Arc::clone(&ran));
    drop(runtime.spawn(async move {
        let mut guard = users.acquire_owned().await.expect("opened");
        drop_once_begun(&mut guard, move |_| {
            gate.recv().expect("opened");
            panic!("after its runtime, as the test has it")
        })
        .await;
        let queued = guard.call(move |_| Ok(count.fetch_add(1, Ordering::SeqCst)));
        begun.send(()).expect("awaited");
        queued.await.expect("never answered");
    }));
    has_begun.recv_timeout(LIMIT).expect("begun");
    runtime.shutdown_timeout(LIMIT);
    open.send(()).expect("the closure still waits");
    let next = tokio::runtime::Builder::new_current_thread().enable_time().build();
    next.expect("a runtime").block_on(async {
        let mut guard = within(pool.acquire()).await.expect("a connection of its own");
        assert_eq!(number(&mut guard, "SELECT 1").await, 1);
        drop(guard);
        assert!(pool.close(LIMIT).await.drained);
    });
    assert_eq!(ran.load(Ordering::SeqCst), 0, "nobody was there for what was queued");
}

#[tokio::test]
async fn a_call_behind_a_cancelled_one_waits_and_may_be_cancelled_too() {
    let mut connection = connect_in_memory().await;
    let (release, released) = mpsc::channel::<()>();
    // A closure that does not come back to SQLite cannot be stopped.
    drop_once_begun(&mut connection, move |_| released.recv().expect("released")).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let count = |runs: &Arc<AtomicUsize>| {
        let runs = Arc::clone(runs);
        move |_: &mut Connection| Ok(runs.fetch_add(1, Ordering::SeqCst))
    };
    for _ in 0..1000 {
        Hand::new(connection.call(count(&runs))).pending();
    }
    release.send(()).expect("awaited");
    within(connection.call(count(&runs))).await.expect("ran");
    assert_eq!(runs.load(Ordering::SeqCst), 1, "those dropped before never began");
}

#[tokio::test]
async fn a_cancelled_call_is_over_before_the_next_user_gets_the_connection() {
    let pool = pool_of_one(SqliteOptions::private_memory());
    let mut guard = pool.acquire().await.expect("opened");
    guard.execute_batch("CREATE TABLE notes (text TEXT)").await.expect("created");
    let (release, released) = mpsc::channel::<()>();
    drop_once_begun(&mut guard, move |sqlite| {
        released.recv().expect("released");
        // Cancelled long ago.
        sqlite.execute_batch("INSERT INTO notes VALUES ('late')").expect_err("cancelled");
    })
    .await;
    drop(guard);
    let mut next = Hand::new(pool.acquire());
    for _ in 0..100 {
        next.pending();
        tokio::task::yield_now().await;
    }
    assert_eq!(pool.stats().idle, 0, "not yet given back");
    release.send(()).expect("awaited");
    let mut guard = within(async {
        loop {
            if let std::task::Poll::Ready(guard) = next.poll() {
                return guard.expect("given back");
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(number(&mut guard, "SELECT count(*) FROM notes").await, 0);
    assert_eq!(pool.stats().opened, 1, "the same connection");
}

#[tokio::test]
async fn a_closure_that_never_comes_back_costs_its_connection_and_no_other() {
    let driver = SqliteDriver::new(SqliteOptions::private_memory());
    let config = PoolConfig { check_timeout: Duration::from_millis(50), ..driver.pool_config() };
    let pool = Pool::new(driver, config).expect("valid");
    let mut guard = pool.acquire().await.expect("opened");
    let (release, released) = mpsc::channel::<()>();
    drop_once_begun(&mut guard, move |_| released.recv().expect("released")).await;
    drop(guard);
    let mut guard = within(pool.acquire()).await.expect("replaced");
    assert_eq!(number(&mut guard, "SELECT 1").await, 1);
    assert_eq!(pool.stats().closed.of(CloseReason::Broken), 1);
    release.send(()).expect("still awaited by the thread that was let go");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connect_that_is_dropped_ends_its_thread_while_the_database_is_locked() {
    use pool_core::{ConnectContext, Driver as _, Statements};

    /// Whether a thread of this name runs in this process.
    fn runs(name: &str) -> bool {
        let tasks = std::fs::read_dir("/proc/self/task").expect("listed");
        let names =
            tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.into_iter().any(|found| found.trim_end() == name)
    }

    let directory = Directory::new();
    let _lock = directory.lock_all();
    let options = SqliteOptions { busy_timeout: Duration::from_hours(1), ..directory.options() };
    let driver = SqliteDriver::new(options);
    let context = ConnectContext::new(424_242, Statements::unobserved());
    let mut connect = Hand::new(driver.connect(context));
    connect.pending();
    within(async {
        while !runs("sqlite-424242") {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            connect.pending();
            tokio::task::yield_now().await;
        }
        drop(connect);
        while runs("sqlite-424242") {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[test]
fn a_runtime_that_goes_away_cancels_the_calls_in_it() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .expect("a runtime");
    let (begun, has_begun) = mpsc::channel();
    runtime.spawn(async move {
        let mut connection = connect_in_memory().await;
        let endless = connection.call(move |sqlite| {
            begun.send(()).expect("awaited");
            sqlite.query_row(ENDLESS, [], |_| Ok(()))
        });
        endless.await.expect("never answered");
    });
    has_begun.recv_timeout(LIMIT).expect("begun");
    drop(runtime);
    // The closure's sender goes when the thread is through with it.
    assert_eq!(has_begun.recv_timeout(LIMIT), Err(mpsc::RecvTimeoutError::Disconnected));
}
