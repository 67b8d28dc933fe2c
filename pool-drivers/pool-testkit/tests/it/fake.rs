//! The fake driver as a fixture, under the real tokio.

use std::future::pending;
use std::sync::Arc;

use pool_core::runtime::TokioRuntime;
use pool_testkit::conformance::{Failing, Fixture, Supported, Unsupported};
use pool_testkit::{Answer, Call, FakeConnection, FakeDriver, FakeError, FakeServer, Session};

pool_testkit::conformance!(Fake);

struct Fake {
    server: FakeServer,
}

fn server() -> FakeServer {
    FakeServer::new(Arc::new(TokioRuntime::new()))
}

impl Fixture for Fake {
    type Driver = FakeDriver;

    async fn start() -> Self {
        Self { server: server() }
    }

    fn driver(&self) -> FakeDriver {
        FakeDriver::new(&self.server)
    }

    fn failing_driver(&self, how: Failing) -> Supported<FakeDriver> {
        let server = server();
        let answer = match how {
            Failing::Transiently => Answer::Error,
            Failing::Permanently => Answer::Permanent,
            Failing::Hanging => Answer::Never,
        };
        server.always(Call::Connect, answer);
        Ok(FakeDriver::new(&server))
    }

    async fn use_once(connection: &mut FakeConnection) -> Result<(), FakeError> {
        connection.query("SELECT 1")
    }

    async fn begin(connection: &mut FakeConnection) -> Supported<()> {
        connection.begin();
        Ok(())
    }

    async fn is_clean(connection: &mut FakeConnection) -> bool {
        connection.session() == Session::default()
    }

    async fn write_uncommitted(_: &mut FakeConnection) -> Supported<()> {
        Err(Unsupported("the fake server keeps no data"))
    }

    async fn sees_written(_: &mut FakeConnection) -> Supported<bool> {
        Err(Unsupported("the fake server keeps no data"))
    }

    async fn run_long(connection: &mut FakeConnection) -> Unsupported {
        connection.begin();
        connection.send().expect("sent");
        pending().await
    }

    async fn session(connection: &mut FakeConnection) -> Supported<u64> {
        Ok(connection.id())
    }

    async fn sever(&self, connection: &mut FakeConnection) -> Supported<()> {
        connection.sever();
        Ok(())
    }

    async fn sessions(&self) -> Supported<usize> {
        Ok(self.server.sockets())
    }

    fn secret(&self) -> Supported<&'static str> {
        Err(Unsupported("the fake server asks for no password"))
    }
}
