//! A server of the run's own: private, throw-away, on loopback; and what can befall it.
//!
//! Everything here blocks. The server goes with its value, and dies with this process however that
//! ends.

use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use pool_testkit::servers::{
    self, Behaviour, Crowd, Database, Finding, Proxy, Server, ServerError, Setup,
};

use super::say;
use super::start::Product;
use crate::scenario::Fault;
use crate::words::counted;

/// Connections of a server that others are to fill: each costs them a program.
const EASILY_FILLED: u16 = 24;

/// A server of the run's own.
#[derive(Debug)]
pub(crate) struct OwnServer {
    server: Server,
    database: Database,
    /// On the way to it, where that is to be long.
    proxy: Option<Proxy>,
    /// Others who have all its connections.
    crowd: Mutex<Option<Crowd>>,
}

impl OwnServer {
    /// Starts one that this may befall, and makes a database in it. Says so if it has to be fetched.
    ///
    /// # Errors
    ///
    /// It cannot be had, or does not start.
    pub(crate) fn start(product: Product, fault: Option<Fault>) -> anyhow::Result<Self> {
        let product = match product {
            Product::Postgres => servers::Product::Postgres15,
            Product::Mariadb => servers::Product::MariaDb,
            Product::Mysql => servers::Product::MySql,
        };
        if let Finding::Fetchable(how) = servers::look_for(product) {
            let cache = servers::cache();
            let cache = cache.display();
            say(&format!("{product} is not installed: fetching {how} into {cache}, this once"));
        }
        let mut setup = Setup::new(product);
        if fault == Some(Fault::Crowded) {
            setup.max_connections = EASILY_FILLED;
        }
        let server = Server::start_as(setup).with_context(|| format!("cannot start {product}"))?;
        let made = || format!("cannot make a database in {product}");
        let database = server.database("loadtest").with_context(made)?;
        let proxy = match fault {
            Some(Fault::Distant(_)) => Some(Proxy::before(server.access())?),
            _ => None,
        };
        Ok(Self { server, database, proxy, crowd: Mutex::default() })
    }

    /// Where its database is, password included.
    pub(crate) fn url(&self) -> String {
        match &self.proxy {
            Some(proxy) => proxy.access().url(self.database.name()),
            None => self.database.url(),
        }
    }

    /// What reports call its database: it has no other name that says anything.
    pub(crate) fn name(&self) -> String {
        format!("a {} started for this run", self.server.access().product)
    }

    /// Does this to it. Says what happened.
    pub(crate) fn befall(&self, fault: Fault) -> anyhow::Result<String> {
        Ok(match fault {
            Fault::Killed => {
                self.server.kill()?;
                "the server was killed".to_owned()
            }
            Fault::Frozen => {
                self.server.freeze()?;
                "the server was held still".to_owned()
            }
            Fault::Distant(delay) => {
                self.behave(Behaviour::Delay(delay))?;
                let delay = humantime::format_duration(delay);
                format!("the way to the server became {delay} longer, and the way back")
            }
            Fault::Crowded => {
                let crowd = self.server.access().fill()?;
                let taken = counted(crowd.len() as u64, "connection");
                *self.crowd() = Some(crowd);
                format!("other users took the {taken} that the server had left")
            }
        })
    }

    /// Undoes it. Says what happened.
    pub(crate) fn undo(&self, fault: Fault) -> anyhow::Result<&'static str> {
        Ok(match fault {
            Fault::Killed => {
                self.server.restart()?;
                "it was back"
            }
            Fault::Frozen => {
                self.server.thaw()?;
                "it went on"
            }
            Fault::Distant(_) => {
                self.behave(Behaviour::Through)?;
                "it was as short as before"
            }
            Fault::Crowded => {
                let crowd = self.crowd().take();
                drop(crowd);
                "they left"
            }
        })
    }

    /// Ends it at once, whatever it is doing.
    pub(crate) fn end(&self) -> anyhow::Result<()> {
        Ok(self.server.kill()?)
    }

    fn behave(&self, behaviour: Behaviour) -> Result<(), ServerError> {
        self.proxy.as_ref().map_or(Ok(()), |proxy| proxy.behave(behaviour))
    }

    fn crowd(&self) -> std::sync::MutexGuard<'_, Option<Crowd>> {
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
