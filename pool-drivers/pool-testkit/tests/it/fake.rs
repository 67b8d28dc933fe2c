//! The fake driver as a fixture, under the real tokio and the real smol.

use std::future::pending;
use std::marker::PhantomData;
use std::sync::Arc;

use pool_core::runtime::{Runtime, TokioRuntime};
use pool_testkit::conformance::{Failing, Fixture, Supported, Unsupported};
use pool_testkit::{Answer, Call, FakeConnection, FakeDriver, FakeError, FakeServer, Session};

type OnTokio = Fake<TokioRuntime>;
pool_testkit::conformance!(OnTokio);

#[cfg(feature = "smol")]
type OnSmol = Fake<pool_core::runtime::SmolRuntime>;
#[cfg(feature = "smol")]
pool_testkit::conformance!(OnSmol on smol);

struct Fake<R> {
    server: FakeServer,
    runtime: PhantomData<R>,
}

fn server<R: Runtime + Default>() -> FakeServer {
    FakeServer::new(Arc::new(R::default()))
}

impl<R: Runtime + Default> Fixture for Fake<R> {
    type Driver = FakeDriver;

    async fn start() -> Self {
        Self { server: server::<R>(), runtime: PhantomData }
    }

    fn driver(&self) -> FakeDriver {
        FakeDriver::new(&self.server)
    }

    fn failing_driver(&self, how: Failing) -> Supported<FakeDriver> {
        let server = server::<R>();
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

    async fn fail_once(connection: &mut FakeConnection) -> Supported<&'static str> {
        connection.sever();
        let error = connection.query("select 1").expect_err("severed");
        Ok(error.code().expect("the server's word"))
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
