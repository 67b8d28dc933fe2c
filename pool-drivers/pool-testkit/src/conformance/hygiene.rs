//! Claims about what one user leaves to the next: nothing.

use std::pin::pin;
use std::task::{Context, Poll};

use pool_core::Pool;

use super::fixture::{Fixture, Supported};
use super::rig::{pool_of_one, spawn, yield_now};

/// The next user of the pool's one connection finds it clean and working.
async fn expect_clean<F: Fixture>(pool: &Pool<F::Driver>) {
    let mut guard = pool.acquire().await.expect("the next turn");
    assert!(F::is_clean(&mut guard).await, "something is left of the user before");
    F::use_once(&mut guard).await.expect("answered");
    F::use_once(&mut guard).await.expect("answered");
}

/// A transaction left open is ended before the next user.
pub async fn an_open_transaction_is_gone_for_the_next_user<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    let pool = pool_of_one(&fixture);
    for _ in 0..3 {
        let mut guard = pool.acquire().await.expect("opened");
        assert!(F::is_clean(&mut guard).await);
        F::begin(&mut guard).await?;
        assert!(!F::is_clean(&mut guard).await, "the fixture can tell");
        drop(guard);
        expect_clean::<F>(&pool).await;
    }
    Ok(())
}

/// What was written and not committed is undone, for the next user and for everybody else.
pub async fn work_left_uncommitted_is_rolled_back<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    let (pool, others) = (pool_of_one(&fixture), pool_of_one(&fixture));
    let mut guard = pool.acquire().await.expect("opened");
    F::write_uncommitted(&mut guard).await?;
    assert!(F::sees_written(&mut guard).await?, "the fixture can tell");
    drop(guard);
    expect_clean::<F>(&pool).await;
    for pool in [&pool, &others] {
        let mut guard = pool.acquire().await.expect("opened");
        assert!(!F::sees_written(&mut guard).await?, "never committed by anybody");
    }
    Ok(())
}

/// A user who panics inside a transaction passes it on to nobody.
pub async fn a_panicking_user_passes_no_transaction_on<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    let pool = pool_of_one(&fixture);
    let user = pool.clone();
    let panicked = spawn(async move {
        let mut guard = user.acquire().await.expect("opened");
        F::begin(&mut guard).await?;
        panic!("a user's panic, as the claim has it")
    })
    .await;
    if let Some(unsupported) = panicked {
        return unsupported;
    }
    expect_clean::<F>(&pool).await;
    Ok(())
}

/// A use whose future is dropped, at whatever moment, reaches no other user: neither its answer nor
/// its transaction nor its cancellation.
pub async fn a_use_dropped_halfway_never_reaches_the_next_user<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    let pool = pool_of_one(&fixture);
    for round in 0..60 {
        let mut guard = pool.acquire().await.expect("the next turn");
        {
            let mut use_for_long = pin!(F::run_long(&mut guard));
            // A waker of nobody's: what matters is how far the other side gets meanwhile.
            let mut context = Context::from_waker(std::task::Waker::noop());
            for _ in 0..=round * round {
                if let Poll::Ready(unsupported) = use_for_long.as_mut().poll(&mut context) {
                    return Err(unsupported);
                }
                yield_now().await;
            }
        }
        drop(guard);
        expect_clean::<F>(&pool).await;
    }
    Ok(())
}
