//! Claims about connections that are handed out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pool_core::{CloseReason, Pool, PoolConfig};

use super::fixture::{Fixture, Supported};
use super::rig::{at_rest, options, pool, pool_of_one, start, yield_now};

/// A connection can be opened, used, released and used again.
pub async fn connects_and_answers<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    let pool = pool_of_one(&fixture);
    for _ in 0..10 {
        let mut guard = pool.acquire().await.expect("opened");
        F::use_once(&mut guard).await.expect("answered");
        F::use_once(&mut guard).await.expect("answered");
    }
    at_rest(&pool, 1).await;
    let stats = pool.stats();
    assert_eq!((stats.opened, stats.open, stats.idle), (1, 1, 1), "one connection serves all");
    Ok(())
}

/// Of several idle connections the one released last is used first, so that surplus ages out.
pub async fn the_connection_released_last_goes_out_next<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    let config = PoolConfig { max_open: 2, check_after_idle: None, ..fixture.config() };
    let pool = pool(&fixture, config);
    let mut guards = [pool.acquire().await.expect("opened"), pool.acquire().await.expect("opened")];
    let first = F::session(&mut guards[0]).await?;
    let second = F::session(&mut guards[1]).await?;
    assert_ne!(first, second, "two connections are two sessions");
    for last in [1, 0, 0, 1] {
        let [one, two] = guards;
        let expected = [first, second][last];
        let (early, late) = if last == 0 { (two, one) } else { (one, two) };
        drop(early);
        at_rest(&pool, 1).await;
        drop(late);
        at_rest(&pool, 2).await;
        let mut next = pool.acquire().await.expect("idle");
        assert_eq!(F::session(&mut next).await?, expected);
        let other = pool.acquire().await.expect("idle");
        guards = if last == 0 { [next, other] } else { [other, next] };
    }
    Ok(())
}

/// Fifty tasks that want a connection at once share `max_open` of them, and all get their turn.
pub async fn never_more_than_max_open_connections<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    let max_open = fixture.config().max_open;
    let pool = pool(&fixture, fixture.config());
    let held = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (pool, held) = (pool.clone(), Arc::clone(&held));
            start(async move {
                for _ in 0..4 {
                    let mut guard = pool.acquire().await.expect("a turn");
                    let holding = held.fetch_add(1, Ordering::SeqCst) + 1;
                    assert!(holding <= max_open, "{holding} held of {max_open}");
                    assert!(pool.stats().open <= max_open, "{:?}", pool.stats());
                    F::use_once(&mut guard).await.expect("answered");
                    yield_now().await;
                    held.fetch_sub(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a task kept its assertions");
    }
    let stats = pool.stats();
    assert!(stats.opened as usize <= max_open, "opened again and again: {stats:?}");
    assert_eq!(stats.acquires.succeeded(), 200, "{stats:?}");
    Ok(())
}

/// The server knows as many connections as the pool says are open.
pub async fn the_server_knows_as_many_connections_as_the_pool<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    let before = fixture.sessions().await?;
    let pool = pool(&fixture, fixture.config());
    let mut guards = Vec::new();
    for open in 1..=fixture.config().max_open {
        let mut guard = pool.acquire().await.expect("opened");
        F::use_once(&mut guard).await.expect("answered");
        guards.push(guard);
        assert_eq!(pool.stats().open, open);
        assert_eq!(fixture.sessions().await? - before, open);
    }
    drop(guards);
    assert_eq!(fixture.sessions().await? - before, pool.stats().open, "released is not closed");
    Ok(())
}

/// `Pool::open` connects and asks once; what it opened is the pool's.
pub async fn open_checks_one_connection<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    let pool = Pool::open(fixture.driver(), options(fixture.config())).await.expect("opened");
    let stats = pool.stats();
    assert_eq!((stats.open, stats.idle, stats.in_use, stats.probes), (1, 1, 0, 0));
    let mut guard = pool.acquire().await.expect("idle");
    F::use_once(&mut guard).await.expect("answered");
    assert_eq!(pool.stats().opened, 1, "the one that was checked is the one that is used");
    Ok(())
}

/// An idle connection on which the server has hung up is found out by its check, and replaced
/// without its user knowing.
pub async fn a_severed_connection_is_replaced_within_the_acquire<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    let config =
        PoolConfig { max_open: 1, check_after_idle: Some(Duration::ZERO), ..fixture.config() };
    let pool = pool(&fixture, config);
    let mut guard = pool.acquire().await.expect("opened");
    let severed = F::session(&mut guard).await?;
    fixture.sever(&mut guard).await?;
    drop(guard);
    let mut guard = pool.acquire().await.expect("replaced");
    assert_ne!(F::session(&mut guard).await?, severed);
    F::use_once(&mut guard).await.expect("answered");
    let closed = pool.stats().closed;
    let lost = closed.of(CloseReason::CheckFailed) + closed.of(CloseReason::Broken);
    assert_eq!((lost, closed.total()), (1, 1), "{closed:?}");
    Ok(())
}
