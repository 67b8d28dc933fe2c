//! A server of our own: started, stopped, killed, started again on the same port.

use std::net::{Ipv4Addr, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::access::Access;
use super::database::Database;
use super::error::{ServerError, Trying};
use super::ground::Ground;
use super::port;
use super::process::{BETWEEN_LOOKS, Process};
use super::product::Product;
use super::program::PATIENCE;
use super::setup::Setup;
use super::tls::TlsFiles;

/// A private, throw-away server on loopback. It is killed and its data removed when this is dropped;
/// it dies, too, when this process does, however that ends. Its data, in a folder of the directory for
/// temporary files, then stays until somebody starts the next server.
#[derive(Debug)]
pub struct Server {
    access: Access,
    /// Held over each change of whether the server runs.
    process: Mutex<Option<Process>>,
    // After the process: a server is killed before its files go.
    ground: Ground,
}

impl Server {
    /// Starts `product`, fetching it if need be, and waits until it answers.
    ///
    /// # Errors
    ///
    /// It cannot be had, or does not start.
    pub fn start(product: Product) -> Result<Self, ServerError> {
        Self::start_as(Setup::new(product))
    }

    /// Starts a server as `setup` says and waits until it answers.
    ///
    /// # Errors
    ///
    /// It cannot be had, or does not start.
    pub fn start_as(setup: Setup) -> Result<Self, ServerError> {
        let ground = Ground::new(setup)?;
        ground.initialise()?;
        Self::start_on(ground)
    }

    /// Starts a server whose data is there.
    pub(super) fn start_on(mut ground: Ground) -> Result<Self, ServerError> {
        for _ in 0..PORTS_TRIED {
            match launch(&ground) {
                // Somebody else took it since it was seen free.
                Err(ServerError::Died { log, .. }) if log.contains("in use") => {
                    ground.port = port::free()?;
                }
                Err(error) => return Err(error),
                Ok(process) => {
                    let access = ground.access();
                    return Ok(Self { access, process: Mutex::new(Some(process)), ground });
                }
            }
        }
        let problem = "was taken by others each time; try again".to_owned();
        Err(ServerError::Input { input: format!("one of {PORTS_TRIED} ports"), problem })
    }

    /// As what it was started.
    pub(super) fn setup(&self) -> &Setup {
        &self.ground.setup
    }

    /// How it is reached.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The PostgreSQL behind a PgBouncer.
    #[must_use]
    pub fn behind(&self) -> Option<&Self> {
        self.ground.behind.as_deref()
    }

    /// Its certificates, if it talks TLS.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsFiles> {
        self.ground.tls.as_ref()
    }

    /// A fresh, empty database whose name begins with `name`.
    ///
    /// # Errors
    ///
    /// `name` is not of lower-case letters, digits and `_`, or the server refuses.
    pub fn database(&self, name: &str) -> Result<Database, ServerError> {
        self.access.database(name)
    }

    /// The number of its process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process().as_ref().map(Process::pid)
    }

    /// Kills it without warning, as `kill -9` does, and all that it started.
    ///
    /// # Errors
    ///
    /// It cannot be killed.
    pub fn kill(&self) -> Result<(), ServerError> {
        let mut process = self.process();
        if let Some(process) = process.as_mut() {
            process.kill().trying_to("kill the server")?;
        }
        *process = None;
        Ok(())
    }

    /// Shuts it down: it closes its connections, in its own words.
    ///
    /// # Errors
    ///
    /// It cannot be sent a signal.
    pub fn stop(&self) -> Result<(), ServerError> {
        let politely = match self.access.product {
            // "Fast": it does not wait for its clients to leave.
            Product::Postgres15 | Product::Postgres18 => Signal::INT,
            _ => Signal::TERM,
        };
        let mut process = self.process();
        if let Some(process) = process.as_mut() {
            process.stop(politely, PATIENCE).trying_to("stop the server")?;
        }
        *process = None;
        Ok(())
    }

    /// Holds all its processes still: it accepts connections, as the system does that for it, and
    /// answers nobody.
    ///
    /// # Errors
    ///
    /// It cannot be sent a signal.
    pub fn freeze(&self) -> Result<(), ServerError> {
        let held = self.process().as_mut().map(Process::freeze);
        held.transpose().trying_to("freeze the server").map(drop)
    }

    /// Lets it go on where it was frozen.
    ///
    /// # Errors
    ///
    /// It cannot be sent a signal.
    pub fn thaw(&self) -> Result<(), ServerError> {
        let released = self.process().as_mut().map(Process::thaw);
        released.transpose().trying_to("thaw the server").map(drop)
    }

    /// Starts it again on its port and its data and waits until it answers; it is ended first if it
    /// runs.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn restart(&self) -> Result<(), ServerError> {
        let mut process = self.process();
        // Dropped first: two servers cannot share a port.
        *process = None;
        *process = Some(launch(&self.ground)?);
        Ok(())
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each attempt meets another port, so that a second is rare and a fifth never seen.
const PORTS_TRIED: usize = 5;

/// Starts the server and waits until it answers its client.
fn launch(ground: &Ground) -> Result<Process, ServerError> {
    ground.configure()?;
    let log = ground.directory.log()?;
    let errors = log.try_clone().trying("open", ground.directory.log_path())?;
    let mut command = ground.server();
    command.stdin(std::process::Stdio::null()).stdout(log).stderr(errors);
    let mut process = Process::spawn(command, ground.farewell()).trying_to("start the server")?;
    let access = ground.access();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let product = ground.product();
        if let Some(status) = process.ended().trying_to("watch the server")? {
            let log = ground.directory.last_words();
            return Err(ServerError::Died { product, end: status.to_string(), log });
        }
        let Err(why) = answers(&access) else { return Ok(process) };
        if Instant::now() > deadline {
            // The server may be ready, and its client not.
            let log = format!("{}\n{why}", ground.directory.last_words());
            return Err(ServerError::Unready { product, waited: PATIENCE, log });
        }
        thread::sleep(BETWEEN_LOOKS);
    }
}

/// Whether it accepts connections and answers a query, or why not. PostgreSQL listens before it is
/// ready.
fn answers(access: &Access) -> Result<(), String> {
    const EACH: Duration = Duration::from_secs(5);
    let statement = access.product.family().trivial_statement();
    let connected = TcpStream::connect((Ipv4Addr::LOCALHOST, access.port));
    connected.map_err(|error| error.to_string())?;
    let answered = access.run_within(EACH, &access.first_database, statement);
    answered.map(drop).map_err(|error| error.to_string())
}
