//! The conformance suite on deadpool-redis's manager, against a real server.

use std::net::TcpListener;

use deadpool_redis::Manager;
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{Client, ErrorKind, RedisError, Value, cmd};
use pool_core::{ErrorClass, Metadata};
use pool_deadpool::{DeadpoolConnection, DeadpoolDriver, DeadpoolError};
use pool_testkit::conformance::{Failing, Fixture, Supported, Unsupported};

use crate::rig::{CANARY, TOLD_BY_USERS, redis, refusing_port, silent_server, unique_name};

type Database = Redis;
pool_testkit::conformance!(Database);

const NO_TRANSACTIONS: Unsupported =
    Unsupported("a transaction in Redis is one request, which cannot be left open");

/// A user of its own.
pub(crate) struct Redis {
    pub(crate) name: String,
    silent: (TcpListener, u16),
}

type Connection = DeadpoolConnection<Manager>;

/// A connection past the driver, as a user with all commands.
async fn admin() -> MultiplexedConnection {
    let client = Client::open(redis().url("0")).expect("a URL");
    client.get_multiplexed_async_connection().await.expect("opened")
}

/// Host and port of the server.
pub(crate) fn address() -> String {
    format!("{}:{}", redis().host, redis().port)
}

pub(crate) fn driver(user: &str, password: &str, address: &str) -> DeadpoolDriver<Manager> {
    let manager = Manager::new(format!("redis://{user}:{password}@{address}")).expect("a URL");
    DeadpoolDriver::new(manager, Metadata::new("redis")).with_classes(|error: &RedisError| {
        match error.kind() {
            ErrorKind::AuthenticationFailed => ErrorClass::Permanent,
            _ => ErrorClass::Transient,
        }
    })
}

impl Fixture for Redis {
    type Driver = DeadpoolDriver<Manager>;

    async fn start() -> Self {
        let fixture = Self { name: unique_name(), silent: silent_server() };
        let set_user = cmd("ACL")
            .arg(&["SETUSER", &fixture.name, "on", &format!(">{CANARY}"), "~*", "&*", "+@all"])
            .exec_async(&mut admin().await)
            .await;
        set_user.expect("set up");
        fixture
    }

    fn driver(&self) -> Self::Driver {
        driver(&self.name, CANARY, &address())
    }

    fn failing_driver(&self, how: Failing) -> Supported<Self::Driver> {
        let local = |port| driver(&self.name, CANARY, &format!("127.0.0.1:{port}"));
        Ok(match how {
            Failing::Transiently => local(refusing_port()),
            Failing::Permanently => driver("nobody", CANARY, &address()),
            Failing::Hanging => local(self.silent.1),
        })
    }

    async fn use_once(connection: &mut Connection) -> Result<(), DeadpoolError<RedisError>> {
        let answer = cmd("ECHO").arg("7").query_async::<String>(&mut **connection).await;
        assert_eq!(answer.map_err(DeadpoolError::Recycle)?, "7");
        Ok(())
    }

    fn tells_of_statements(&self) -> Supported<()> {
        Err(TOLD_BY_USERS)
    }

    async fn fail_once(_: &mut Connection) -> Supported<&'static str> {
        Err(TOLD_BY_USERS)
    }

    async fn begin(_: &mut Connection) -> Supported<()> {
        Err(NO_TRANSACTIONS)
    }

    async fn is_clean(connection: &mut Connection) -> bool {
        Self::use_once(connection).await.is_ok()
    }

    async fn write_uncommitted(_: &mut Connection) -> Supported<()> {
        Err(NO_TRANSACTIONS)
    }

    async fn sees_written(_: &mut Connection) -> Supported<bool> {
        Err(NO_TRANSACTIONS)
    }

    async fn run_long(connection: &mut Connection) -> Unsupported {
        let wait = async |redis: &mut MultiplexedConnection| {
            redis.set_response_timeout(std::time::Duration::from_hours(1));
            // For something that nobody ever puts there.
            cmd("BLPOP").arg("nothing").arg(0).query_async::<Value>(redis).await
        };
        connection.call(async |redis| wait(redis).await.map(drop)).await.expect("an hour");
        unreachable!("no claim waits an hour")
    }

    async fn session(connection: &mut Connection) -> Supported<u64> {
        let id = cmd("CLIENT").arg("ID").query_async(&mut **connection).await;
        Ok(id.expect("answered"))
    }

    async fn sever(&self, connection: &mut Connection) -> Supported<()> {
        let session = Self::session(connection).await?;
        let mut kill = cmd("CLIENT");
        kill.arg(&["KILL", "ID", &session.to_string()]);
        kill.exec_async(&mut admin().await).await.expect("killed");
        Ok(())
    }

    async fn sessions(&self) -> Supported<usize> {
        let list = cmd("CLIENT").arg("LIST").query_async::<String>(&mut admin().await).await;
        let user = format!(" user={} ", self.name);
        Ok(list.expect("listed").lines().filter(|line| line.contains(&user)).count())
    }

    fn secret(&self) -> Supported<&'static str> {
        Ok(CANARY)
    }
}
