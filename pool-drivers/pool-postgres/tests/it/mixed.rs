//! Users of every kind, one after the other on few connections: none sees anything of another.

use std::pin::pin;
use std::task::{Context, Waker};

use futures_util::{SinkExt as _, StreamExt as _};
use pool_core::{Pool, PoolConfig};
use pool_postgres::{PostgresConnection, PostgresDriver, PostgresError};

use crate::rig::{Database, LIMIT, in_transaction, within};

/// Polls a call a few times, with the rest of the world going on, and gives it up.
async fn give_up<T>(call: impl Future<Output = T>, polls: u32) {
    let mut call = pin!(call);
    for _ in 0..polls {
        if call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// One way to use, or misuse, a connection.
async fn misuse(
    connection: &mut PostgresConnection,
    kind: u32,
    polls: u32,
) -> Result<(), PostgresError> {
    match kind {
        0 => connection.batch_execute("BEGIN").await?,
        1 => give_up(connection.batch_execute("BEGIN; SELECT pg_sleep(0.001)"), polls).await,
        2 => give_up(connection.query("SELECT generate_series(1, 5000)", &[]), polls).await,
        3 => drop(connection.batch_execute("BEGIN; SELECT 1 / 0").await),
        4 => {
            let sql = "SELECT generate_series(1, 100000)";
            let mut rows = connection.query_stream(sql, &[]).await?;
            for _ in 0..polls {
                rows.next().await.expect("a row")?;
            }
        }
        5 => drop(connection.transaction().await?.execute("SELECT 1", &[]).await),
        6 => give_up(connection.transaction(), polls).await,
        7 => {
            let transaction = connection.transaction().await?;
            give_up(transaction.query("SELECT pg_sleep(0.001)", &[]), polls).await;
            give_up(transaction.commit(), polls).await;
        }
        8 => connection.client().batch_execute("BEGIN").await?,
        9 => give_up(connection.client().query("SELECT 1, pg_sleep(0.001)", &[]), polls).await,
        10 => give_up(connection.client().batch_execute("BEGIN"), polls).await,
        11 => {
            connection.batch_execute("CREATE TEMP TABLE IF NOT EXISTS t (x int)").await?;
            let mut sink = pin!(connection.client().copy_in("COPY t FROM STDIN").await?);
            sink.send(&b"1\n"[..]).await?;
            if polls.is_multiple_of(2) {
                sink.finish().await?;
            }
        }
        12 => {
            let calls = (0..8).map(|_| connection.query("SELECT generate_series(1, 50)", &[]));
            give_up(futures_util::future::join_all(calls), polls).await;
        }
        13 => drop(connection.query("SELECT 1 / (SELECT 0)", &[]).await),
        14 => assert!(!connection.client().is_closed(), "lent, and nothing done with it"),
        _ => {}
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_users_do_the_next_one_finds_a_clean_connection_and_answers_of_its_own() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let database = Database::create().await;
    let config = PoolConfig {
        max_open: 3,
        acquire_timeout: LIMIT,
        check_timeout: LIMIT,
        ..PoolConfig::default()
    };
    let pool = Pool::new(PostgresDriver::new(database.options()), config).expect("valid");
    let users = (0..8).map(|user| {
        let (pool, mut random) = (pool.clone(), fastrand::Rng::with_seed(seed ^ user));
        tokio::spawn(async move {
            for round in 0..60_u64 {
                let mut connection = within(pool.acquire()).await.expect("a turn");
                let mine = i64::try_from(user << 32 | round).expect("small");
                for number in [mine, -mine] {
                    let row = within(connection.query_one("SELECT $1::bigint", &[&number])).await;
                    assert_eq!(row.expect("answered").get::<_, i64>(0), number, "my own answer");
                }
                assert!(!in_transaction(&connection).await, "something is left of the one before");
                let (kind, polls) = (random.u32(0..16), random.u32(0..30));
                misuse(&mut connection, kind, polls).await.expect("works for its user");
            }
        })
    });
    for user in users.collect::<Vec<_>>() {
        within(user).await.expect("no user met another");
    }
}
