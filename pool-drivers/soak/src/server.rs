//! A server of our own with a proxy before it.

use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use pool_core::ConfigError;
use pool_testkit::servers::{Behaviour, Database, Family, Product, Proxy, Server};

use crate::place::{Pause, Place};
use crate::subject::Subject;

/// A server, a database in it and the way there.
#[derive(Debug)]
pub(crate) struct ServerPlace<D> {
    server: Server,
    proxy: Proxy,
    database: Database,
    driver: fn(&str, bool) -> Result<D, ConfigError>,
}

impl<D: Subject> ServerPlace<D> {
    pub(crate) fn new(
        product: Product,
        driver: fn(&str, bool) -> Result<D, ConfigError>,
    ) -> Result<Self> {
        let server = Server::start(product)?;
        let proxy = Proxy::before(server.access())?;
        let database = server.database("soak")?;
        Ok(Self { server, proxy, database, driver })
    }

    /// Ends one session, whosever it is.
    fn end_a_session(&self, random: &mut Rng) -> Result<()> {
        let number = |line: String| {
            let end = line.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(line.len());
            line[..end].parse::<u64>().ok()
        };
        let sessions: Vec<_> = self.sessions()?.into_iter().filter_map(number).collect();
        if let Some(session) = random.choice(sessions) {
            // It may have ended by itself.
            let _ended = self.server.access().terminate(session);
        }
        Ok(())
    }

    /// The statement that lists sessions in the database but its own.
    fn list(&self) -> &'static str {
        match self.server.access().product.family() {
            Family::Postgres => {
                "SELECT pid, state, wait_event, left(query, 80) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid();"
            }
            _ => {
                "SELECT ID, COMMAND, TIME, STATE, LEFT(INFO, 80) FROM information_schema.PROCESSLIST \
                 WHERE DB = DATABASE() AND ID <> CONNECTION_ID();"
            }
        }
    }
}

impl<D: Subject> Place for ServerPlace<D> {
    type Driver = D;

    fn name(&self) -> String {
        self.server.access().product.to_string()
    }

    fn driver(&self) -> Result<D> {
        Ok((self.driver)(&self.proxy.access().url(self.database.name()), true)?)
    }

    fn other_driver(&self, random: &mut Rng) -> Result<D> {
        let url = match random.u8(..8) {
            0 => self.database.url().replace("/soak", "/nowhere"),
            1..4 => self.proxy.access().url(self.database.name()),
            _ => self.database.url(),
        };
        Ok((self.driver)(&url, random.bool())?)
    }

    fn befall(&self, random: &mut Rng, pause: &Pause<'_>) -> Result<()> {
        let (short, long) = (Duration::from_millis(300), Duration::from_secs(3));
        let behaviour = match random.u8(..12) {
            0 => {
                self.server.kill()?;
                pause.sleep_up_to(long, random);
                return Ok(self.server.restart()?);
            }
            1 => {
                self.server.stop()?;
                pause.sleep_up_to(long, random);
                return Ok(self.server.restart()?);
            }
            2 => {
                self.server.freeze()?;
                pause.sleep_up_to(long, random);
                return Ok(self.server.thaw()?);
            }
            3 | 4 => {
                for _ in 0..random.u8(1..6) {
                    self.end_a_session(random)?;
                    pause.sleep_up_to(short, random);
                }
                return Ok(());
            }
            5 | 6 => {
                for _ in 0..random.u8(1..4) {
                    self.proxy.reset();
                    pause.sleep_up_to(short, random);
                }
                return Ok(());
            }
            7 => Behaviour::Delay(Duration::from_millis(random.u64(1..80))),
            8 => Behaviour::Throttle { bytes: random.u32(1_000..100_000) },
            9 => Behaviour::BlackHole,
            10 => Behaviour::HalfOpen,
            _ => Behaviour::Refuse,
        };
        self.proxy.behave(behaviour)?;
        pause.sleep_up_to(long, random);
        Ok(self.proxy.behave(Behaviour::Through)?)
    }

    fn sessions(&self) -> Result<Vec<String>> {
        Ok(self.database.run(self.list())?.lines().map(str::to_owned).collect())
    }
}
