//! Claims about a database that cannot be reached.

use std::error::Error as _;
use std::time::{Duration, Instant};

use pool_core::{AcquireErrorKind, OpenError, Pool, PoolConfig};

use super::fixture::{Error, Failing, Fixture, Supported};
use super::rig::options;

/// Longer than any claim waits for a failure, shorter than the suite's limit.
const FAR: Duration = Duration::from_secs(45);

/// Whether an error is the driver's own.
fn is_the_drivers<F: Fixture>(error: Option<&(dyn std::error::Error + 'static)>) -> bool {
    error.is_some_and(<dyn std::error::Error>::is::<Error<F>>)
}

/// An acquire that fails because nothing can be opened carries the driver's error.
pub async fn a_failed_connect_is_the_source_of_the_error<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    let driver = fixture.failing_driver(Failing::Transiently)?;
    let config = PoolConfig {
        acquire_timeout: FAR,
        outage_grace: Some(Duration::from_millis(50)),
        ..fixture.config()
    };
    let pool = Pool::new(driver, options(config)).expect("valid");
    let error = pool.acquire().await.expect_err("nothing can be opened");
    assert_eq!(error.kind(), AcquireErrorKind::ConnectFailed, "{error}");
    assert!(is_the_drivers::<F>(error.source()), "{error}");
    Ok(())
}

/// An error that will not go away by itself fails an acquire without waiting for its deadline.
pub async fn a_permanent_failure_is_told_before_the_deadline<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    let driver = fixture.failing_driver(Failing::Permanently)?;
    let config = PoolConfig { acquire_timeout: FAR, outage_grace: None, ..fixture.config() };
    let pool = Pool::new(driver, options(config)).expect("valid");
    let error = pool.acquire().await.expect_err("nothing can be opened");
    assert_eq!(error.kind(), AcquireErrorKind::ConnectFailed, "{error}");
    assert!(error.details().waited < FAR / 2, "{error}");
    assert!(is_the_drivers::<F>(error.source()), "{error}");
    Ok(())
}

/// `Pool::open` fails with the driver's error.
pub async fn open_says_why_the_first_connection_failed<F: Fixture>() -> Supported<()> {
    let fixture = F::start().await;
    let driver = fixture.failing_driver(Failing::Transiently)?;
    match Pool::open(driver, options(fixture.config())).await {
        Err(OpenError::Connect { source, .. }) => {
            assert!(is_the_drivers::<F>(Some(&*source)), "{source}");
        }
        other => panic!("opened, or failed otherwise: {other:?}"),
    }
    Ok(())
}

/// While connects hang, an acquire ends at its deadline.
pub async fn an_acquire_keeps_its_deadline_while_nothing_can_be_opened<F: Fixture>() -> Supported<()>
{
    let fixture = F::start().await;
    let driver = fixture.failing_driver(Failing::Hanging)?;
    let deadline = Duration::from_millis(200);
    let config = PoolConfig { acquire_timeout: deadline, connect_timeout: FAR, ..fixture.config() };
    let pool = Pool::new(driver, options(config)).expect("valid");
    for _ in 0..3 {
        let started = Instant::now();
        let error = pool.acquire().await.expect_err("nothing can be opened");
        assert_eq!(error.kind(), AcquireErrorKind::Timeout, "{error}");
        let took = started.elapsed();
        assert!(took >= deadline, "{took:?} is early");
        assert!(took < FAR / 2, "{took:?} is late, however busy the machine");
    }
    Ok(())
}
