//! A connection outside the pool, for questions that must not compete with the pool's users.

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::capability::{Activity, Capacity, ReplicationLag, Role, Storage};
use crate::contain::{contain, panic_message};
use crate::driver::{ConnectContext, Driver, Released};
use crate::error::{DriverFault, OpenError, SharedError};
use crate::lease::{Decide, FleetName, LeaseError, Ledger, MemberId, Sessions};
use crate::lent::{AnyConnection, Lender, LentConnection};
use crate::runtime::{NoRuntime, Runtime};
use crate::shared::Shared;
use crate::stats::PoolState;

/// How long a question about a fleet's ledger may take, whatever `check_timeout` says: one who was stopped
/// in the middle of a settlement holds up the others for as long as the server lets it, which is two
/// seconds at most, and a hang must not cost a lease.
const LEDGER_LIMIT: Duration = Duration::from_secs(3);

/// A connection opened by [`Control::probe`](crate::Control::probe). Dropping it lets go of the
/// connection at once.
///
/// Each question is bounded by `check_timeout`, unless it says otherwise; those about a fleet's ledger by
/// 3 s. After one that failed the connection is gone, and every further one fails. Dropping a
/// question's future has the same effect.
pub trait Probe: Send {
    /// Whether the connection is gone.
    fn is_lost(&self) -> bool;

    /// How long the server takes to answer.
    fn ping(&mut self) -> BoxFuture<'_, Result<Duration, SharedError>>;

    /// The server's limit on connections; `None` if the driver cannot ask.
    fn capacity(&mut self) -> BoxFuture<'_, Option<Result<Capacity, SharedError>>>;

    /// Whether the server takes writes; `None` if the driver cannot ask.
    fn role(&mut self) -> BoxFuture<'_, Option<Result<Role, SharedError>>>;

    /// How far the server is behind the one it replicates; `None` if the driver cannot ask.
    fn replication_lag(&mut self) -> BoxFuture<'_, Option<Result<ReplicationLag, SharedError>>>;

    /// How long transactions have been open on the server; `None` if the driver cannot ask.
    fn activity(&mut self) -> BoxFuture<'_, Option<Result<Activity, SharedError>>>;

    /// How large the database's files are; `None` if the driver cannot ask.
    fn storage(&mut self) -> BoxFuture<'_, Option<Result<Storage, SharedError>>>;

    /// What is broken in the database's files; `None` if the driver cannot ask. Reads the whole of
    /// them, and is bounded by `limit` instead.
    fn verify(
        &mut self,
        limit: Duration,
    ) -> BoxFuture<'_, Option<Result<Vec<String>, SharedError>>>;

    /// Creates what is missing of a fleet's tables; `None` if the driver keeps none. See
    /// [`LeaseStore::prepare`](crate::LeaseStore::prepare).
    fn prepare_leases<'a>(
        &'a mut self,
        fleet: &'a FleetName,
    ) -> BoxFuture<'a, Option<Result<(), LeaseError>>>;

    /// Settles a fleet's ledger; `None` if the driver keeps none. See
    /// [`LeaseStore::settle`](crate::LeaseStore::settle).
    fn settle_leases<'a>(
        &'a mut self,
        fleet: &'a FleetName,
        member: MemberId,
        decide: &'a mut Decide<'a>,
    ) -> BoxFuture<'a, Option<Result<(), LeaseError>>>;

    /// What sessions the members of a fleet have; `None` if the driver keeps no ledger.
    fn fleet_sessions<'a>(
        &'a mut self,
        fleet: &'a FleetName,
    ) -> BoxFuture<'a, Option<Result<Sessions, LeaseError>>>;

    /// Lends the connection for questions of the caller's own, which are not bounded.
    ///
    /// # Errors
    ///
    /// The connection was lost earlier.
    fn lend(&mut self) -> Result<LentConnection<'_>, SharedError>;
}

pub(crate) struct ProbeConnection<D: Driver> {
    shared: Arc<Shared<D>>,
    id: u64,
    /// Absent after a question that failed or was dropped.
    connection: Option<D::Connection>,
    connect_took: Duration,
}

#[derive(Debug, thiserror::Error)]
#[error("the probe's connection was lost earlier")]
struct ProbeLost;

impl<D: Driver> ProbeConnection<D> {
    pub(crate) async fn open(shared: Arc<Shared<D>>) -> Result<Self, OpenError> {
        let started = shared.now();
        let (id, limit) = {
            let mut state = shared.lock();
            if state.gate() == PoolState::Closed {
                return Err(OpenError::Closed);
            }
            state.probe_opened();
            (state.take_connection_id(), state.config().connect_timeout)
        };
        // From here on, dropping it counts it out.
        let mut probe = Self {
            shared: Arc::clone(&shared),
            id,
            connection: None,
            connect_took: Duration::ZERO,
        };
        let context = ConnectContext::new(id, shared.statements(id));
        let opened = bounded(&*shared.runtime, "connect", limit, async {
            shared.driver.connect(context).await
        });
        let connection = opened.await?.map_err(|source| OpenError::Connect {
            pool: Arc::clone(&shared.observers.pool),
            took: shared.now().since(started),
            source,
        })?;
        probe.connect_took = shared.now().since(started);
        probe.connection = Some(connection);
        Ok(probe)
    }

    pub(crate) async fn check(&mut self) -> Result<Duration, SharedError> {
        let connection = self.take()?;
        let started = self.shared.now();
        let limit = self.shared.lock().config().check_timeout;
        let check = async { self.shared.driver.check(connection).await };
        let checked = bounded(&*self.shared.runtime, "check", limit, check).await;
        self.connection = Some(checked.map_err(|missing| Arc::new(missing) as SharedError)??);
        Ok(self.shared.now().since(started))
    }

    /// Makes the connection one of the pool's, if there is room.
    pub(crate) fn join_pool(mut self) {
        let Some(connection) = self.connection.take() else { return };
        let (now, id, took) = (self.shared.now(), self.id, self.connect_took);
        let adopted =
            self.shared.transition(|state, fx| state.adopt(connection, id, took, now, fx));
        self.connection = adopted.err();
    }

    fn take(&mut self) -> Result<D::Connection, SharedError> {
        self.connection.take().ok_or_else(|| Arc::new(ProbeLost) as SharedError)
    }

    /// Keeps a connection that was lent, cleaned as the pool would do it.
    async fn clean(&mut self, mut connection: D::Connection) -> Result<(), SharedError> {
        let left = contain(|| self.shared.driver.released(&mut connection));
        let clean = match left {
            Some(Released::Clean | Released::ResetQueued) => connection,
            Some(Released::Dirty) => {
                let limit = self.shared.lock().config().check_timeout;
                let reset = async { self.shared.driver.reset(connection).await };
                let reset = bounded(&*self.shared.runtime, "reset", limit, reset).await;
                reset.map_err(|missing| Arc::new(missing) as SharedError)??
            }
            None | Some(Released::Discard) => {
                contain(|| self.shared.driver.abort(connection));
                return Err(Arc::new(ProbeLost));
            }
        };
        self.connection = Some(clean);
        Ok(())
    }

    /// Asks a question that borrows the connection.
    async fn ask<T>(
        &mut self,
        name: &'static str,
        question: impl AsyncFnOnce(&D, &mut D::Connection) -> Option<Result<T, D::Error>>,
    ) -> Option<Result<T, SharedError>> {
        let limit = self.shared.lock().config().check_timeout;
        self.ask_within(limit, name, question).await
    }

    async fn ask_within<T>(
        &mut self,
        limit: Duration,
        name: &'static str,
        question: impl AsyncFnOnce(&D, &mut D::Connection) -> Option<Result<T, D::Error>>,
    ) -> Option<Result<T, SharedError>> {
        match self.put(limit, name, question).await {
            Ok(answered) => answered.map(|answer| answer.map_err(|error| Arc::new(error) as _)),
            Err(fault) => Some(Err(fault)),
        }
    }

    /// Asks a question about a fleet's ledger.
    async fn ask_store<T>(
        &mut self,
        name: &'static str,
        question: impl AsyncFnOnce(&D, &mut D::Connection) -> Option<Result<T, LeaseError>>,
    ) -> Option<Result<T, LeaseError>> {
        let answered = self.put(LEDGER_LIMIT, name, question).await;
        answered.unwrap_or_else(|fault| Some(Err(LeaseError::Other(fault))))
    }

    /// Puts a question. After one that failed, the connection is gone.
    ///
    /// # Errors
    ///
    /// Why there is no answer: it was lost earlier, or the driver did not finish, or panicked.
    async fn put<T, E>(
        &mut self,
        limit: Duration,
        name: &'static str,
        question: impl AsyncFnOnce(&D, &mut D::Connection) -> Option<Result<T, E>>,
    ) -> Result<Option<Result<T, E>>, SharedError> {
        let mut connection = self.take()?;
        let answer = async { Ok(question(&self.shared.driver, &mut connection).await) };
        let answer = bounded::<_, D::Error>(&*self.shared.runtime, name, limit, answer).await;
        let answered = answer.map_err(|missing| Arc::new(missing) as SharedError)??;
        if !matches!(answered, Some(Err(_))) {
            self.connection = Some(connection);
        }
        Ok(answered)
    }
}

impl<D: Driver> Probe for ProbeConnection<D> {
    fn is_lost(&self) -> bool {
        self.connection.is_none()
    }

    fn ping(&mut self) -> BoxFuture<'_, Result<Duration, SharedError>> {
        self.check().boxed()
    }

    fn capacity(&mut self) -> BoxFuture<'_, Option<Result<Capacity, SharedError>>> {
        self.ask("capacity query", async |driver, connection| {
            match driver.capabilities().capacity {
                Some(query) => Some(query.capacity(connection).await),
                None => None,
            }
        })
        .boxed()
    }

    fn role(&mut self) -> BoxFuture<'_, Option<Result<Role, SharedError>>> {
        self.ask("role query", async |driver, connection| match driver.capabilities().role {
            Some(query) => Some(query.role(connection).await),
            None => None,
        })
        .boxed()
    }

    fn replication_lag(&mut self) -> BoxFuture<'_, Option<Result<ReplicationLag, SharedError>>> {
        self.ask("replication lag query", async |driver, connection| {
            match driver.capabilities().lag {
                Some(query) => Some(query.replication_lag(connection).await),
                None => None,
            }
        })
        .boxed()
    }

    fn activity(&mut self) -> BoxFuture<'_, Option<Result<Activity, SharedError>>> {
        self.ask("activity query", async |driver, connection| {
            match driver.capabilities().activity {
                Some(query) => Some(query.activity(connection).await),
                None => None,
            }
        })
        .boxed()
    }

    fn storage(&mut self) -> BoxFuture<'_, Option<Result<Storage, SharedError>>> {
        self.ask("storage query", async |driver, connection| match driver.capabilities().storage {
            Some(query) => Some(query.storage(connection).await),
            None => None,
        })
        .boxed()
    }

    fn verify(
        &mut self,
        limit: Duration,
    ) -> BoxFuture<'_, Option<Result<Vec<String>, SharedError>>> {
        self.ask_within(limit, "verification", async |driver, connection| {
            match driver.capabilities().storage {
                Some(query) => Some(query.verify(connection).await),
                None => None,
            }
        })
        .boxed()
    }

    fn prepare_leases<'a>(
        &'a mut self,
        fleet: &'a FleetName,
    ) -> BoxFuture<'a, Option<Result<(), LeaseError>>> {
        self.ask_store("preparation of a ledger", async |driver, connection| {
            match driver.capabilities().leases {
                Some(store) => Some(store.prepare(connection, fleet).await),
                None => None,
            }
        })
        .boxed()
    }

    fn settle_leases<'a>(
        &'a mut self,
        fleet: &'a FleetName,
        member: MemberId,
        decide: &'a mut Decide<'a>,
    ) -> BoxFuture<'a, Option<Result<(), LeaseError>>> {
        async move {
            let mut has_decided = false;
            let mut decide = |ledger: &Ledger| {
                has_decided = true;
                decide(ledger)
            };
            let settled = self.ask_store("settlement", async |driver, connection| {
                match driver.capabilities().leases {
                    Some(store) => Some(store.settle(connection, fleet, member, &mut decide).await),
                    None => None,
                }
            });
            // It hung, say, and whether before or after its commit nobody can tell.
            Some(settled.await?.map_err(|error| match error {
                LeaseError::Other(fault) if has_decided && fault.is::<DriverFault>() => {
                    LeaseError::OutcomeUnknown(fault)
                }
                error => error,
            }))
        }
        .boxed()
    }

    fn fleet_sessions<'a>(
        &'a mut self,
        fleet: &'a FleetName,
    ) -> BoxFuture<'a, Option<Result<Sessions, LeaseError>>> {
        self.ask_store("question about sessions", async |driver, connection| {
            match driver.capabilities().leases {
                Some(store) => Some(store.sessions(connection, fleet).await),
                None => None,
            }
        })
        .boxed()
    }

    fn lend(&mut self) -> Result<LentConnection<'_>, SharedError> {
        let connection = self.take()?;
        Ok(LentConnection::new(self, Box::new(connection)))
    }
}

impl<D: Driver> Lender for ProbeConnection<D> {
    fn take_back(&mut self, connection: AnyConnection) -> BoxFuture<'_, Result<(), SharedError>> {
        self.clean(own::<D>(connection)).boxed()
    }

    fn discard(&mut self, connection: AnyConnection) {
        contain(|| self.shared.driver.abort(own::<D>(connection)));
    }
}

/// What was lent, as the driver knows it.
fn own<D: Driver>(connection: AnyConnection) -> D::Connection {
    *connection.downcast().expect("bug: another connection than the one lent")
}

impl<D: Driver> Drop for ProbeConnection<D> {
    fn drop(&mut self) {
        self.shared.lock().probe_closed();
        if let Some(connection) = self.connection.take() {
            contain(|| self.shared.driver.abort(connection));
        }
    }
}

/// Runs a call of the driver for at most `limit`, with its panic contained.
async fn bounded<T, E: std::error::Error + Send + Sync + 'static>(
    runtime: &dyn Runtime,
    call: &'static str,
    limit: Duration,
    future: impl Future<Output = Result<T, E>>,
) -> Result<Result<T, SharedError>, NoRuntime> {
    let mut timer = runtime.timer()?;
    timer.reset(runtime.now().after(limit));
    let mut future = Box::pin(AssertUnwindSafe(future).catch_unwind());
    let finished = poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(finished) => Poll::Ready(Some(finished)),
        Poll::Pending => timer.poll_expired(cx).map(|()| None),
    })
    .await;
    contain(|| drop(future));
    Ok(match finished {
        Some(Ok(Ok(value))) => Ok(value),
        Some(Ok(Err(error))) => Err(Arc::new(error)),
        Some(Err(payload)) => {
            Err(Arc::new(DriverFault::Panicked { call, message: panic_message(payload) }))
        }
        None => Err(Arc::new(DriverFault::TimedOut { call, limit })),
    })
}
