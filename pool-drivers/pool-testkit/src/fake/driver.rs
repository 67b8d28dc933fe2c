//! The fake server's client: the driver and its connection.

use std::borrow::Cow;
use std::fmt;
use std::future::{pending, poll_fn};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use pool_core::{
    Activity, ActivityQuery, Capabilities, Capacity, CapacityQuery, ConnectContext, Driver,
    ErrorClass, Metadata, Released, ReplicationLag, ReplicationLagQuery, Role, RoleQuery,
    StatementOutcome, Statements, Storage, StorageQuery,
};

use super::ledger::{FakeServer, Session};
use super::script::{Answer, Call};

/// What the fake driver's calls fail with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FakeError {
    /// The script says so.
    #[error("scripted failure of {0:?}")]
    Scripted(Call),
    /// The script says so, and that it will not go away.
    #[error("scripted permanent failure of {0:?}")]
    Permanent(Call),
    /// The server has no room.
    #[error("too many connections")]
    TooMany,
    /// The server has hung up.
    #[error("the server has hung up")]
    Severed,
    /// The server has answered something else.
    #[error("the reply to another request")]
    Mismatched,
}

impl FakeError {
    /// The server's own code, of what it says itself.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::TooMany => Some("F1040"),
            Self::Severed => Some("F5701"),
            Self::Scripted(_) | Self::Permanent(_) | Self::Mismatched => None,
        }
    }
}

/// The driver for a [`FakeServer`].
#[derive(Debug)]
pub struct FakeDriver {
    /// Where it connects to. Whoever took it over changes it.
    place: Mutex<Place>,
}

#[derive(Clone, Debug)]
struct Place {
    server: FakeServer,
    /// What the database is called there.
    namespace: Option<String>,
    /// What connections call themselves.
    application: Option<String>,
}

impl Place {
    fn new(server: &FakeServer) -> Self {
        Self { server: server.clone(), namespace: None, application: None }
    }
}

impl Clone for FakeDriver {
    /// A driver of its own, which nobody else's successor changes.
    fn clone(&self) -> Self {
        Self { place: Mutex::new(self.place.lock().clone()) }
    }
}

impl FakeDriver {
    /// A driver that connects to `server`.
    #[must_use]
    pub fn new(server: &FakeServer) -> Self {
        Self { place: Mutex::new(Place::new(server)) }
    }

    /// A driver that connects to the database called `namespace` at `server`.
    #[must_use]
    pub fn of_database(server: &FakeServer, namespace: &str) -> Self {
        let namespace = Some(namespace.to_owned());
        Self { place: Mutex::new(Place { namespace, ..Place::new(server) }) }
    }

    /// The same, whose connections call themselves so: a server shows how many sessions each
    /// [member of a fleet](pool_core::FleetName::tag) has once one has such a name.
    #[must_use]
    pub fn called(self, application: impl Into<String>) -> Self {
        self.place.lock().application = Some(application.into());
        self
    }

    fn server(&self) -> FakeServer {
        self.place.lock().server.clone()
    }
}

impl FakeServer {
    /// Answers an async call as the script says.
    async fn answer(&self, call: Call) -> Result<(), FakeError> {
        let mut answer = self.start(call);
        loop {
            match answer {
                Answer::Ok => return Ok(()),
                Answer::Error => return Err(FakeError::Scripted(call)),
                Answer::Permanent => return Err(FakeError::Permanent(call)),
                Answer::Panic => panic!("scripted panic of {call:?}"),
                Answer::Never => pending().await,
                Answer::Late(delay) => {
                    self.wait(delay).await;
                    return Ok(());
                }
                Answer::LateError(delay) => {
                    self.wait(delay).await;
                    return Err(FakeError::Scripted(call));
                }
                Answer::Gate => answer = self.wait_at_gate(call).await,
            }
        }
    }

    /// Whether a question gets an answer.
    pub(super) async fn asked(&self, connection: &FakeConnection) -> Result<(), FakeError> {
        self.answer(Call::Ask).await?;
        connection.alive()
    }

    async fn wait(&self, delay: Duration) {
        let runtime = &self.runtime;
        let mut timer = runtime.timer().expect("the fake is used inside its runtime");
        timer.reset(runtime.now().after(delay));
        poll_fn(|cx| timer.poll_expired(cx)).await;
    }
}

#[async_trait]
impl Driver for FakeDriver {
    type Connection = FakeConnection;
    type Error = FakeError;

    async fn connect(&self, context: ConnectContext) -> Result<FakeConnection, FakeError> {
        // The socket is open before the handshake is: a connect that is dropped must close it.
        let Place { server, application, .. } = self.place.lock().clone();
        let id = server.open_socket(application);
        let connection = id.map(|id| FakeConnection {
            server: server.clone(),
            id,
            statements: context.statements,
        });
        server.answer(Call::Connect).await?;
        connection.ok_or(FakeError::TooMany)
    }

    async fn check(&self, connection: FakeConnection) -> Result<FakeConnection, FakeError> {
        connection.server.answer(Call::Check).await?;
        connection.alive()?;
        if connection.session().owed.is_empty() {
            Ok(connection)
        } else {
            Err(FakeError::Mismatched)
        }
    }

    async fn reset(&self, connection: FakeConnection) -> Result<FakeConnection, FakeError> {
        connection.server.answer(Call::Reset).await?;
        connection.alive()?;
        connection.change(|session| {
            let application = session.application.take();
            *session = Session { application, ..Session::default() };
        });
        Ok(connection)
    }

    async fn close(&self, connection: FakeConnection) -> Result<(), FakeError> {
        connection.server.answer(Call::Close).await?;
        drop(connection);
        Ok(())
    }

    fn abort(&self, connection: FakeConnection) {
        let answer = connection.server.start(Call::Abort);
        assert_ne!(answer, Answer::Error, "scripted failure of abort");
        drop(connection);
        assert_ne!(answer, Answer::Panic, "scripted panic of abort");
    }

    fn released(&self, connection: &mut FakeConnection) -> Released {
        match connection.server.start(Call::Released) {
            Answer::Panic => panic!("scripted panic of released"),
            Answer::Error => Released::Discard,
            _ => match connection.server.session(connection.id) {
                None => Released::Discard,
                Some(session) if session.severed || !session.owed.is_empty() => Released::Discard,
                Some(session) if session.in_transaction || session.altered => Released::Dirty,
                Some(_) => Released::Clean,
            },
        }
    }

    fn classify(&self, error: &FakeError) -> ErrorClass {
        match error {
            FakeError::Permanent(_) => ErrorClass::Permanent,
            FakeError::TooMany => ErrorClass::Overloaded,
            _ => ErrorClass::Transient,
        }
    }

    fn status_code(&self, error: &FakeError) -> Option<Cow<'static, str>> {
        Some(error.code()?.into())
    }

    fn metadata(&self) -> Metadata {
        let mut metadata = Metadata::new("fake");
        let place = self.place.lock();
        metadata.namespace.clone_from(&place.namespace);
        metadata.application.clone_from(&place.application);
        metadata
    }

    fn capabilities(&self) -> Capabilities<'_, FakeConnection, FakeError> {
        Capabilities {
            capacity: Some(self),
            role: Some(self),
            lag: Some(self),
            activity: Some(self),
            storage: Some(self),
            leases: Some(self),
        }
    }

    fn can_take_over(&self, _: &Self) -> bool {
        true
    }

    fn take_over(&self, successor: Self) {
        let answer = self.server().start(Call::TakeOver);
        assert_ne!(answer, Answer::Panic, "scripted panic of take_over");
        *self.place.lock() = successor.place.into_inner();
    }
}

#[async_trait]
impl CapacityQuery<FakeConnection, FakeError> for FakeDriver {
    async fn capacity(&self, connection: &mut FakeConnection) -> Result<Capacity, FakeError> {
        connection.server.asked(connection).await?;
        let ledger = connection.server.ledger.lock();
        let mut capacity = Capacity::new(ledger.max_sockets.unwrap_or(usize::MAX));
        capacity.in_use = ledger.sessions.len();
        Ok(capacity)
    }
}

#[async_trait]
impl RoleQuery<FakeConnection, FakeError> for FakeDriver {
    async fn role(&self, connection: &mut FakeConnection) -> Result<Role, FakeError> {
        connection.server.asked(connection).await?;
        Ok(connection.server.ledger.lock().said.role)
    }
}

#[async_trait]
impl ReplicationLagQuery<FakeConnection, FakeError> for FakeDriver {
    async fn replication_lag(
        &self,
        connection: &mut FakeConnection,
    ) -> Result<ReplicationLag, FakeError> {
        connection.server.asked(connection).await?;
        Ok(connection.server.ledger.lock().said.lag)
    }
}

#[async_trait]
impl ActivityQuery<FakeConnection, FakeError> for FakeDriver {
    async fn activity(&self, connection: &mut FakeConnection) -> Result<Activity, FakeError> {
        connection.server.asked(connection).await?;
        Ok(connection.server.ledger.lock().said.activity)
    }
}

#[async_trait]
impl StorageQuery<FakeConnection, FakeError> for FakeDriver {
    async fn storage(&self, connection: &mut FakeConnection) -> Result<Storage, FakeError> {
        connection.server.asked(connection).await?;
        Ok(connection.server.ledger.lock().said.storage)
    }

    async fn verify(&self, connection: &mut FakeConnection) -> Result<Vec<String>, FakeError> {
        connection.server.asked(connection).await?;
        Ok(connection.server.ledger.lock().said.findings.clone())
    }
}

/// A connection to a [`FakeServer`]; dropping it closes its socket.
pub struct FakeConnection {
    server: FakeServer,
    id: u64,
    statements: Statements,
}

impl FakeConnection {
    pub(super) fn server(&self) -> FakeServer {
        self.server.clone()
    }

    /// Number of its session.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Where it tells about its statements.
    #[must_use]
    pub fn statements(&self) -> &Statements {
        &self.statements
    }

    /// Its session as the server sees it.
    ///
    /// # Panics
    ///
    /// If the socket is closed.
    #[must_use]
    pub fn session(&self) -> Session {
        self.server.session(self.id).expect("bug: a connection without its socket")
    }

    /// Sends a request, and returns its number without reading the reply.
    ///
    /// # Errors
    ///
    /// [`FakeError::Severed`].
    pub fn send(&mut self) -> Result<u64, FakeError> {
        self.alive()?;
        let mut ledger = self.server.ledger.lock();
        ledger.next_request += 1;
        let request = ledger.next_request;
        let session = ledger.sessions.get_mut(&self.id).expect("bug: alive without a session");
        session.owed.push(request);
        Ok(request)
    }

    /// Reads the oldest reply owed: the number of the request it answers.
    ///
    /// # Errors
    ///
    /// [`FakeError::Severed`].
    ///
    /// # Panics
    ///
    /// If no reply is owed.
    pub fn receive(&mut self) -> Result<u64, FakeError> {
        self.alive()?;
        let mut ledger = self.server.ledger.lock();
        let session = ledger.sessions.get_mut(&self.id).expect("bug: alive without a session");
        Ok(session.owed.remove(0))
    }

    /// Sends a request and reads a reply, which must be its own. Told to observers.
    ///
    /// # Errors
    ///
    /// [`FakeError::Severed`].
    ///
    /// # Panics
    ///
    /// If the reply is somebody else's.
    pub fn query(&mut self, text: &str) -> Result<(), FakeError> {
        let statements = self.statements.clone();
        let running = statements.start(Some(text));
        let result = self.send().and_then(|request| {
            let answered = self.receive()?;
            assert_eq!(answered, request, "the reply to another request");
            Ok(())
        });
        if let Some(running) = running {
            running.finish(match &result {
                Ok(()) => StatementOutcome::Ok,
                Err(error) => StatementOutcome::Failed { error, code: error.code() },
            });
        }
        result
    }

    /// Opens a transaction.
    pub fn begin(&mut self) {
        self.change(|session| session.in_transaction = true);
    }

    /// Changes a setting of the session.
    pub fn alter(&mut self) {
        self.change(|session| session.altered = true);
    }

    /// Has the server hang up.
    pub fn sever(&mut self) {
        self.change(|session| session.severed = true);
    }

    fn change(&self, change: impl FnOnce(&mut Session)) {
        if let Some(session) = self.server.ledger.lock().sessions.get_mut(&self.id) {
            change(session);
        }
    }

    fn alive(&self) -> Result<(), FakeError> {
        match self.server.session(self.id) {
            Some(session) if !session.severed => Ok(()),
            _ => Err(FakeError::Severed),
        }
    }
}

impl Drop for FakeConnection {
    fn drop(&mut self) {
        self.server.ledger.lock().sessions.remove(&self.id);
    }
}

impl fmt::Debug for FakeConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeConnection").field("id", &self.id).finish_non_exhaustive()
    }
}
