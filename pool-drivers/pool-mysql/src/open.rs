//! How one connection is opened: options made into the client library's, anew each time, so that
//! passwords, addresses and certificates that have changed are taken up.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use mysql_async::{ClientIdentity, Conn, DriverError, Error, Opts, OptsBuilder, SslOpts};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::error::{ConnectFailure, MysqlError};
use crate::options::{Address, MysqlOptions, TlsMode};
use crate::wire::{Wire, nowhere};

/// How long an address may take while there is another to try: three fit into the pool's default
/// `connect_timeout` of 10 s.
const SHARE_OF_EACH: Duration = Duration::from_secs(3);

/// Opens a connection.
pub(crate) async fn open(options: &MysqlOptions) -> Result<Wire, MysqlError> {
    let opened = open_by_mode(options).await;
    opened.map_err(|source| MysqlError::Connect { server: options.address.to_string(), source })
}

async fn open_by_mode(options: &MysqlOptions) -> Result<Wire, ConnectFailure> {
    options.validate().map_err(ConnectFailure::Invalid)?;
    // Without a runtime, or without its I/O, tokio panics.
    Handle::try_current().map_err(|_| ConnectFailure::NoReactor)?;
    let plain = plain(options).await?;
    let Some(tls) = tls(options).await? else { return connect(options, plain).await };
    let encrypted = connect(options, plain.clone().ssl_opts(tls)).await;
    match encrypted {
        Err(ConnectFailure::TlsNotOffered) if options.tls_mode() == TlsMode::Prefer => {
            connect(options, plain).await
        }
        encrypted => encrypted,
    }
}

/// Connects to the first of the server's addresses that answers.
async fn connect(options: &MysqlOptions, builder: OptsBuilder) -> Result<Wire, ConnectFailure> {
    let Address::Tcp { host, port } = &options.address else { return connect_to(builder).await };
    let found = tokio::net::lookup_host((&**host, *port)).await.map_err(Error::from)?;
    let attempt =
        |address: SocketAddr| connect_to(builder.clone().resolved_ips(Some([address.ip()])));
    in_turn(found.collect(), attempt).await
}

/// Attempts the addresses of a host one after the other, up to the first that says something: they
/// are ways to one server, whose word is the same on each.
async fn in_turn<A, T, F>(addresses: Vec<A>, attempt: impl Fn(A) -> F) -> Result<T, ConnectFailure>
where
    F: Future<Output = Result<T, ConnectFailure>>,
{
    let none = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let mut failure = ConnectFailure::Mysql(none.into());
    let mut addresses = addresses.into_iter();
    while let Some(address) = addresses.next() {
        let is_followed = addresses.len() > 0;
        let result = if is_followed {
            require_timer()?;
            let late = Err(ConnectFailure::TimedOut(SHARE_OF_EACH));
            timeout(SHARE_OF_EACH, attempt(address)).await.unwrap_or(late)
        } else {
            attempt(address).await
        };
        match result {
            Err(reason) if reason.is_on_the_way() => failure = reason,
            decided => return decided,
        }
    }
    Err(failure)
}

/// That the runtime's timer is switched on. Tokio has no way to ask, other than a panic.
fn require_timer() -> Result<(), ConnectFailure> {
    let probe = || drop(tokio::time::sleep(Duration::ZERO));
    catch_unwind(probe).map_err(|_| ConnectFailure::NoReactor)
}

async fn connect_to(builder: OptsBuilder) -> Result<Wire, ConnectFailure> {
    let library = Some(Conn::new(Opts::from(builder)));
    let connecting = Connecting { library, has_socket: false };
    match AssertUnwindSafe(connecting).catch_unwind().await {
        Ok(result) => Ok(Wire::new(result?)),
        Err(panic) => Err(fault(&*panic)),
    }
}

/// What a panic within the library means.
fn fault(panic: &(dyn std::any::Any + Send)) -> ConnectFailure {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref().copied()).unwrap_or_default();
    // There is no other way to ask a runtime whether its I/O is switched on.
    if text.contains("IO is disabled") {
        return ConnectFailure::NoReactor;
    }
    // Else it is the server's answer that the library did not expect.
    ConnectFailure::Mysql(Error::Driver(DriverError::UnexpectedPacket { payload: Vec::new() }))
}

/// A connect of the library's, to one address. Where it fails, or is dropped half done, the library
/// would spawn a task for the goodbye.
struct Connecting {
    library: Option<BoxFuture<'static, Result<Conn, Error>>>,
    /// From the first poll on, in which a socket is made and the runtime's I/O told of it. Nothing
    /// after that needs the runtime: there is no name to look up, and no file to read.
    has_socket: bool,
}

impl Future for Connecting {
    type Output = Result<Conn, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let _nowhere = std::mem::replace(&mut self.has_socket, true).then(nowhere);
        self.library.as_mut().expect("bug: gone only when it is dropped").as_mut().poll(cx)
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        let _nowhere = nowhere();
        drop(self.library.take());
    }
}

async fn plain(options: &MysqlOptions) -> Result<OptsBuilder, ConnectFailure> {
    let password = options.password.ask().await.map_err(ConnectFailure::Password)?;
    let builder = OptsBuilder::default()
        .user(Some(&*options.user))
        .pass(password)
        .db_name(options.database.as_deref())
        .stmt_cache_size(options.statement_cache)
        // It would move to a socket whose path the server names, which may be another machine's.
        .prefer_socket(false)
        .connect_attribute("program_name", &*options.program_name)
        .connect_attribute("_client_name", env!("CARGO_PKG_NAME"))
        .connect_attribute("_client_version", env!("CARGO_PKG_VERSION"))
        .connect_attribute("_pid", std::process::id().to_string());
    Ok(match &options.address {
        Address::Tcp { host, port } => {
            builder.ip_or_hostname(&**host).tcp_port(*port).tcp_keepalive(options.tcp_keepalive)
        }
        Address::Socket(path) => builder.socket(Some(path.to_string_lossy())),
    })
}

async fn tls(options: &MysqlOptions) -> Result<Option<SslOpts>, ConnectFailure> {
    let mode = options.tls_mode();
    if mode == TlsMode::Disable {
        return Ok(None);
    }
    provide_cryptography();
    let mut tls = SslOpts::default().with_danger_accept_invalid_certs(mode != TlsMode::VerifyFull);
    if let Some(path) = &options.tls_ca {
        let authorities = read(path).await?;
        tls = tls.with_root_certs(vec![authorities.into()]).with_disable_built_in_roots(true);
    }
    if let (Some(certificate), Some(key)) = (&options.tls_cert, &options.tls_key) {
        let identity =
            ClientIdentity::new(read(certificate).await?.into(), read(key).await?.into());
        tls = tls.with_client_identity(Some(identity));
    }
    Ok(Some(tls))
}

async fn read(path: &Path) -> Result<Vec<u8>, ConnectFailure> {
    let failed = |source| ConnectFailure::File { path: PathBuf::from(path), source };
    tokio::fs::read(path).await.map_err(failed)
}

/// The library takes the process's cryptography and panics if there is none, or two to choose
/// from. What the program has installed stays.
fn provide_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may be first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use mysql_async::IoError;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_that_does_not_answer_leaves_time_for_the_next() {
        /// The pool's, by default.
        const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
        let attempt = async |answers| if answers { Ok(()) } else { pending().await };
        let opened = in_turn(vec![false, false, true], attempt);
        let opened = tokio::time::timeout(CONNECT_TIMEOUT, opened).await;
        opened.expect("in time").expect("the last answers");
    }

    #[tokio::test]
    async fn only_what_the_network_does_leads_on_to_the_next_address() {
        let io = |error| Error::Io(IoError::Io(error));
        let refused = || io(io::ErrorKind::ConnectionRefused.into());
        let untrusted = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let untrusted = io(io::Error::new(io::ErrorKind::InvalidData, untrusted));
        for (failure, decides) in [
            (refused(), false),
            (DriverError::ConnectionClosed.into(), false),
            (untrusted, true),
            (DriverError::NoClientSslFlagFromServer.into(), true),
        ] {
            let said = failure.to_string();
            let attempts = vec![failure, refused(), refused()];
            let attempt = |failure: Error| ready(Err::<(), _>(failure.into()));
            let outcome = in_turn(attempts, attempt).await.expect_err("none answers");
            let is_last = matches!(&outcome, ConnectFailure::Mysql(error)
                if error.to_string() == refused().to_string());
            assert_eq!(is_last, !decides, "{said}: {outcome}");
        }
    }

    #[test]
    fn without_a_timer_a_host_of_several_addresses_says_so() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let attempt = async |()| Ok(());
        let opened = runtime.block_on(in_turn(vec![(), ()], attempt));
        assert!(matches!(opened, Err(ConnectFailure::NoReactor)), "{opened:?}");
        runtime.block_on(in_turn(vec![()], attempt)).expect("nothing to measure");
    }
}
