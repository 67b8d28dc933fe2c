//! Claims about the end of guards, probes and pools.

use std::thread;
use std::time::Duration;

use pool_core::{LentConnection, PoolConfig};

use super::fixture::{Connection, Fixture, Supported};
use super::rig::{pool, pool_of_one, yield_now};

/// A guard dropped on a thread that knows no runtime gives its connection back all the same.
pub async fn a_guard_may_be_dropped_outside_the_runtime<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    let pool = pool_of_one(&fixture);
    for left_in_transaction in [false, true] {
        let mut guard = pool.acquire_owned().await.expect("opened");
        if left_in_transaction {
            F::begin(&mut guard).await?;
        }
        thread::spawn(move || drop(guard)).join().expect("the drop does not panic");
        let mut guard = pool.acquire().await.expect("given back");
        assert!(F::is_clean(&mut guard).await);
        F::use_once(&mut guard).await.expect("answered");
    }
    Ok(())
}

/// A probe is a connection beyond the pool: it waits for nobody's, and its end changes nothing.
pub async fn a_probe_leaves_the_pool_alone<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    let pool = pool_of_one(&fixture);
    let mut guard = pool.acquire().await.expect("opened");
    let before = pool.stats();
    let control = pool.control();
    let mut probe = control.probe().await.expect("beyond the one in use");
    probe.ping().await.expect("answered");
    let able = control.capabilities();
    if able.role {
        probe.role().await.expect("able").expect("answered");
    }
    if able.capacity {
        let capacity = probe.capacity().await.expect("able").expect("answered");
        assert!(capacity.in_use <= capacity.max_connections, "{capacity:?}");
    }
    if able.lag {
        probe.replication_lag().await.expect("able").expect("answered");
    }
    if able.storage {
        probe.storage().await.expect("able").expect("answered");
        let findings = probe.verify(Duration::from_mins(1)).await.expect("able").expect("answered");
        assert!(findings.is_empty(), "{findings:?}");
    }
    let during = pool.stats();
    assert_eq!((during.open, during.in_use, during.probes), (1, 1, 1));
    drop(probe);
    let after = pool.stats();
    assert_eq!((after.open, after.in_use, after.probes), (1, 1, 0));
    assert_eq!(after.opened, before.opened, "the pool opened nothing");
    F::use_once(&mut guard).await.expect("answered");
    Ok(())
}

/// A probe asks no question on a connection that was left in a transaction, or that did not come back.
pub async fn what_a_probe_lends_comes_back_clean_or_not_at_all<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    let pool = pool_of_one(&fixture);
    let control = pool.control();
    let mut probe = control.probe().await.expect("opened");
    let mut lent = probe.lend().expect("there");
    F::begin(connection::<F>(&mut lent)).await?;
    // A driver may rather close it than clean it.
    if lent.give_back().await.is_ok() {
        let mut lent = probe.lend().expect("it came back");
        assert!(F::is_clean(connection::<F>(&mut lent)).await);
        F::use_once(connection::<F>(&mut lent)).await.expect("answered");
        lent.give_back().await.expect("clean");
        probe.ping().await.expect("answered");
        drop(probe.lend().expect("there"));
    }
    probe.ping().await.expect_err("gone");
    probe.lend().expect_err("gone");
    Ok(())
}

fn connection<'a, F: Fixture>(lent: &'a mut LentConnection<'_>) -> &'a mut Connection<F> {
    lent.connection().expect("the driver's own type")
}

/// After a close that drained, the server knows none of the pool's connections: not idle ones, not
/// one left in a transaction, not one whose use was cut short.
pub async fn close_leaves_no_connection_behind<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    let before = fixture.sessions().await?;
    let pool = pool(&fixture, PoolConfig { max_open: 2, ..fixture.config() });
    let mut one = pool.acquire().await.expect("opened");
    let two = pool.acquire().await.expect("opened");
    assert!(fixture.sessions().await? > before, "the fixture can tell");
    F::begin(&mut one).await?;
    drop(two);
    drop(one);
    let report = pool.close(Duration::from_secs(20)).await;
    assert!(report.drained, "{report}");
    assert_eq!((pool.stats().open, report.closed), (0, pool.stats().opened));
    // A server may hear of a goodbye a little after it was said; the suite's limit ends the wait.
    while fixture.sessions().await? > before {
        yield_now().await;
    }
    Ok(())
}
