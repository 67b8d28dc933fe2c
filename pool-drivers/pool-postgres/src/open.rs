//! Opening a connection: which of the servers, in which order, with which password.

use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::Duration;

use futures_channel::oneshot;
use pool_core::ConnectContext;
use tokio::runtime::Handle;
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding as Binding, SslMode, SslNegotiation};

use crate::cancel::Canceller;
use crate::connection::PostgresConnection;
use crate::dial::{Dialled, Endpoint, dial, endpoints};
use crate::error::{ConnectFailure, PostgresError};
use crate::notifications::Inbox;
use crate::options::{ChannelBinding, Host, LoadBalance, PostgresOptions, TargetSession};
use crate::secret::PasswordProvider;
use crate::session::Session;
use crate::task::Task;
use crate::tls::TlsClient;
use crate::wire::{Tap, Wire};

/// How long an address may take that has others to leave time for: three fit into the pool's
/// default `connect_timeout` of 10 s.
const SHARE_OF_EACH: Duration = Duration::from_secs(3);

/// All that a connect needs.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    pub(crate) options: PostgresOptions,
    pub(crate) provider: Option<PasswordProvider>,
}

impl Opening {
    pub(crate) async fn open(
        &self,
        context: &ConnectContext,
    ) -> Result<PostgresConnection, PostgresError> {
        self.options.validate().map_err(PostgresError::Invalid)?;
        require_reactor()?;
        let config = self.login().await?;
        let mut hosts: Vec<&Host> = self.options.hosts.iter().collect();
        self.balance(&mut hosts);
        let (wanted, mut second_best) = (self.options.target_session_attrs, None);
        let mut attempts = Vec::new();
        for host in hosts {
            match self.open_at(host, &config, context).await {
                Ok((connection, true)) => return Ok(connection),
                // Kept open meanwhile, lest it be gone when it is needed.
                Ok((connection, false)) if wanted == TargetSession::PreferStandby => {
                    second_best.get_or_insert(connection);
                }
                Ok((_, false)) => {
                    attempts.push(failed(host, ConnectFailure::WrongTarget(wanted)));
                }
                Err(source) => attempts.push(failed(host, source)),
            }
        }
        match (second_best, attempts.pop()) {
            (Some(connection), _) => Ok(connection),
            (None, Some(only)) if attempts.is_empty() => Err(only),
            (None, last) => {
                attempts.extend(last);
                Err(PostgresError::NoServer { attempts })
            }
        }
    }

    /// What is said to whichever server it is.
    async fn login(&self) -> Result<Config, PostgresError> {
        let options = &self.options;
        let mut config = Config::new();
        // The stream given to it is encrypted already, as far as it is to be.
        config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
        config.channel_binding(match options.channel_binding {
            ChannelBinding::Disable => Binding::Disable,
            ChannelBinding::Prefer => Binding::Prefer,
            ChannelBinding::Require => Binding::Require,
        });
        if let Some(user) = &options.user {
            config.user(user);
        }
        if let Some(database) = &options.database {
            config.dbname(database);
        }
        if let Some(session) = &options.options {
            config.options(session);
        }
        config.application_name(&options.application_name);
        match &self.provider {
            Some(provider) => {
                let password = provider.password().await.map_err(PostgresError::Password)?;
                config.password(password.reveal());
            }
            None => {
                if let Some(password) = &options.password {
                    config.password(password.reveal());
                }
            }
        }
        Ok(config)
    }

    /// Tries the addresses of a host in turn. The flag says whether the server is what is wanted.
    async fn open_at(
        &self,
        host: &Host,
        config: &Config,
        context: &ConnectContext,
    ) -> Result<(PostgresConnection, bool), ConnectFailure> {
        let mut addresses = in_time(self.limit(false), endpoints(host)).await?;
        self.balance(&mut addresses);
        self.in_turn(addresses, |endpoint| self.open_endpoint(endpoint, config, context)).await
    }

    /// Attempts the addresses of a host one after the other, up to the first that says something:
    /// they are ways to one server, whose word is the same on each.
    async fn in_turn<A, T, F>(
        &self,
        addresses: Vec<A>,
        attempt: impl Fn(A) -> F,
    ) -> Result<T, ConnectFailure>
    where
        F: Future<Output = Result<T, ConnectFailure>>,
    {
        let mut addresses = addresses.into_iter();
        let mut failure = None;
        while let Some(address) = addresses.next() {
            let limit = self.limit(addresses.len() > 0);
            match in_time(limit, attempt(address)).await {
                Err(reason) if reason.is_on_the_way() => failure = Some(reason),
                decided => return decided,
            }
        }
        Err(failure.expect("bug: a host without addresses was resolved"))
    }

    /// How long an address may take; `is_followed` by others of its host.
    fn limit(&self, is_followed: bool) -> Option<Duration> {
        match self.options.connect_timeout {
            Some(Duration::ZERO) => None,
            Some(limit) => Some(limit),
            None => (is_followed || self.options.hosts.len() > 1).then_some(SHARE_OF_EACH),
        }
    }

    async fn open_endpoint(
        &self,
        endpoint: Endpoint,
        config: &Config,
        context: &ConnectContext,
    ) -> Result<(PostgresConnection, bool), ConnectFailure> {
        let (keepalives, tls) = (self.options.keepalives, TlsClient::new(self.options.tls.clone()));
        let socket = dial(&endpoint, keepalives, &tls).await?;
        let (wire, inbox) = (Arc::new(Wire::default()), Arc::new(Inbox::default()));
        let tap = Tap::new(socket, Arc::clone(&wire));
        let (client, connection) =
            config.connect_raw(tap, Dialled).await.map_err(ConnectFailure::Server)?;
        let canceller = Canceller { token: client.cancel_token(), endpoint, keepalives, tls };
        let (line, unused) = oneshot::channel();
        let task = Task {
            connection,
            wire: Arc::clone(&wire),
            inbox: Arc::clone(&inbox),
            canceller: canceller.clone(),
            unused,
        };
        let task = task.start();
        // From here on, dropping the future ends the task.
        let session = Session::new(client, wire, inbox, canceller, &self.options, task, line);
        let connection = PostgresConnection::new(context, session);
        let fits = self.fits(&connection).await.map_err(|error| match error {
            PostgresError::Postgres(error) => ConnectFailure::Server(error),
            _ => ConnectFailure::WrongTarget(self.options.target_session_attrs),
        })?;
        Ok((connection, fits))
    }

    /// Whether the server is what `target_session_attrs` asks for.
    async fn fits(&self, connection: &PostgresConnection) -> Result<bool, PostgresError> {
        let wanted = self.options.target_session_attrs;
        if wanted == TargetSession::Any {
            return Ok(true);
        }
        let session = connection.session();
        let is_standby = session.ask_flag("SELECT pg_catalog.pg_is_in_recovery()");
        Ok(match wanted {
            TargetSession::Any => true,
            TargetSession::Primary => !is_standby.await?,
            TargetSession::Standby | TargetSession::PreferStandby => is_standby.await?,
            TargetSession::ReadWrite => !session.is_read_only().await?,
            TargetSession::ReadOnly => session.is_read_only().await?,
        })
    }

    fn balance<T>(&self, choices: &mut [T]) {
        if self.options.load_balance_hosts == LoadBalance::Random {
            fastrand::shuffle(choices);
        }
    }
}

fn failed(host: &Host, source: ConnectFailure) -> PostgresError {
    PostgresError::Connect { server: host.to_string(), source }
}

async fn in_time<T>(
    limit: Option<Duration>,
    attempt: impl Future<Output = Result<T, ConnectFailure>>,
) -> Result<T, ConnectFailure> {
    match limit {
        None => attempt.await,
        Some(limit) => tokio::time::timeout(limit, attempt)
            .await
            .unwrap_or(Err(ConnectFailure::TimedOut(limit))),
    }
}

/// That this thread is inside a tokio runtime with its network and timer switched on.
fn require_reactor() -> Result<(), PostgresError> {
    Handle::try_current().map_err(|_| PostgresError::NoReactor)?;
    // Tokio has no way to ask for these two, other than a panic.
    let probe = || {
        drop(tokio::time::sleep(Duration::ZERO));
        let socket = std::net::UdpSocket::bind(("127.0.0.1", 0))?;
        socket.set_nonblocking(true)?;
        tokio::net::UdpSocket::from_std(socket).map(drop)
    };
    // An error of the probe's own says nothing of the runtime.
    catch_unwind(probe).map(drop).map_err(|_| PostgresError::NoReactor)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::{pending, ready};
    use std::io;

    use tokio::io::AsyncWriteExt as _;
    use tokio_postgres::NoTls;
    use tokio_postgres::error::SqlState;

    use super::*;

    /// The pool's, by default.
    const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

    fn opening(connect_timeout: Option<Duration>) -> Opening {
        let base = PostgresOptions::tcp("db.example.com", 5432);
        Opening { options: PostgresOptions { connect_timeout, ..base }, provider: None }
    }

    /// What comes of addresses that fail as `failures` say, and how many of them were tried.
    async fn outcome(failures: Vec<ConnectFailure>) -> (ConnectFailure, usize) {
        let tried = RefCell::new(0);
        let attempt = |failure: ConnectFailure| {
            *tried.borrow_mut() += 1;
            ready(Err::<(), _>(failure))
        };
        let failure = opening(None).in_turn(failures, attempt).await.expect_err("none answers");
        (failure, tried.into_inner())
    }

    fn refused() -> ConnectFailure {
        ConnectFailure::Network(io::ErrorKind::ConnectionRefused.into())
    }

    /// What a server that hangs up after `answer` leaves.
    async fn server_says(answer: &[u8]) -> ConnectFailure {
        let (near, mut far) = tokio::io::duplex(1024);
        far.write_all(answer).await.expect("room");
        far.shutdown().await.expect("shut");
        let error = Config::new().user("shop").connect_raw(near, NoTls).await.err();
        ConnectFailure::Server(error.expect("no login"))
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_does_not_answer_leaves_time_for_the_next() {
        let attempt = async |answers| if answers { Ok(()) } else { pending().await };
        let opening = opening(None);
        let opened = opening.in_turn(vec![false, false, true], attempt);
        let opened = tokio::time::timeout(CONNECT_TIMEOUT, opened).await;
        opened.expect("in time").expect("the last answers");
    }

    #[test]
    fn the_last_address_has_all_the_time_there_is_and_zero_is_no_limit() {
        for (connect_timeout, is_followed, limit) in [
            (None, true, Some(SHARE_OF_EACH)),
            (None, false, None),
            (Some(Duration::ZERO), true, None),
            (Some(Duration::ZERO), false, None),
            (Some(CONNECT_TIMEOUT), false, Some(CONNECT_TIMEOUT)),
        ] {
            let found = opening(connect_timeout).limit(is_followed);
            assert_eq!(found, limit, "{connect_timeout:?}, {is_followed}");
        }
    }

    #[tokio::test]
    async fn what_the_server_says_at_one_address_is_not_asked_for_at_the_next() {
        let wrong = server_says(b"E\0\0\0\x1eSFATAL\0C28P01\0Mwrong key\0\0").await;
        let (failure, tried) = outcome(vec![wrong, refused()]).await;
        assert_eq!(tried, 1);
        let ConnectFailure::Server(error) = &failure else { panic!("{failure:?}") };
        assert_eq!(error.code().map(SqlState::code), Some("28P01"), "{failure}");
        let (failure, tried) = outcome(vec![ConnectFailure::TlsNotOffered, refused()]).await;
        assert!(matches!(failure, ConnectFailure::TlsNotOffered), "{failure:?}");
        assert_eq!(tried, 1);
    }

    #[tokio::test]
    async fn what_the_network_does_at_one_address_says_nothing_of_the_next() {
        let late = ConnectFailure::TimedOut(SHARE_OF_EACH);
        let reset = ConnectFailure::Tls(io::ErrorKind::ConnectionReset.into());
        let hung_up = server_says(b"").await;
        let (failure, tried) =
            outcome(vec![refused(), late, reset, hung_up, ConnectFailure::TlsNotOffered]).await;
        assert!(matches!(failure, ConnectFailure::TlsNotOffered), "{failure:?}");
        assert_eq!(tried, 5);
    }
}
