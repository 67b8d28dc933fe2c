//! The conformance suite on the tests' own manager.

use std::sync::{Arc, Mutex};

use pool_deadpool::{DeadpoolConnection, DeadpoolDriver, DeadpoolError};
use pool_testkit::conformance::{Failing, Fixture, Supported, Unsupported};

use crate::ledger::{Connects, Ledger, LedgerError, LedgerManager};
use crate::rig::{CANARY, TOLD_BY_USERS};

type Database = Memory;
pool_testkit::conformance!(Database);
pool_testkit::conformance!(Database on smol);

pub(crate) struct Memory(Arc<Mutex<Ledger>>);

type Connection = DeadpoolConnection<LedgerManager>;

impl Fixture for Memory {
    type Driver = DeadpoolDriver<LedgerManager>;

    async fn start() -> Self {
        Self(Arc::default())
    }

    fn driver(&self) -> Self::Driver {
        LedgerManager::new(&self.0, Connects::Well).driver()
    }

    fn failing_driver(&self, how: Failing) -> Supported<Self::Driver> {
        let connects = match how {
            Failing::Transiently => Connects::Refused,
            Failing::Permanently => Connects::Denied,
            Failing::Hanging => Connects::Never,
        };
        Ok(LedgerManager::new(&self.0, connects).driver())
    }

    async fn use_once(connection: &mut Connection) -> Result<(), DeadpoolError<LedgerError>> {
        connection.is_known().map_err(DeadpoolError::Create)
    }

    fn tells_of_statements(&self) -> Supported<()> {
        Err(TOLD_BY_USERS)
    }

    async fn fail_once(_: &mut Connection) -> Supported<&'static str> {
        Err(TOLD_BY_USERS)
    }

    async fn begin(connection: &mut Connection) -> Supported<()> {
        connection.written = Some(0);
        Ok(())
    }

    async fn is_clean(connection: &mut Connection) -> bool {
        connection.written.is_none()
    }

    async fn write_uncommitted(connection: &mut Connection) -> Supported<()> {
        connection.written = Some(1);
        Ok(())
    }

    async fn sees_written(connection: &mut Connection) -> Supported<bool> {
        Ok(connection.server().notes + connection.written.unwrap_or(0) > 0)
    }

    async fn run_long(connection: &mut Connection) -> Unsupported {
        connection
            .call(async |session| {
                session.written = Some(1);
                std::future::pending().await
            })
            .await
    }

    async fn session(connection: &mut Connection) -> Supported<u64> {
        Ok(connection.object_id())
    }

    async fn sever(&self, connection: &mut Connection) -> Supported<()> {
        let id = connection.object_id();
        self.0.lock().expect("not poisoned").open.retain(|open| *open != id);
        Ok(())
    }

    async fn sessions(&self) -> Supported<usize> {
        Ok(self.0.lock().expect("not poisoned").open.len())
    }

    fn secret(&self) -> Supported<&'static str> {
        Ok(CANARY)
    }
}

/// The ledger's number, not the pool's.
trait ObjectId {
    fn object_id(&self) -> u64;
}

impl ObjectId for Connection {
    fn object_id(&self) -> u64 {
        (**self).id
    }
}
