//! A small service as it runs in Kubernetes: it tells whoever connects how many came before.
//!
//! `docs/health.md` explains it; the tests run it as a kubelet would, by `shipped/kubernetes.yml`.

use std::env;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use pool_core::{ConnectionManager, Drivers, ManagerOptions, NamedSources, Secret};
use pool_health::{
    HealthChecker, HealthEndpoint, HealthOptions, HttpOptions, Probes, ReloadOptions, Reloader,
    ShutdownOptions,
};
use pool_sqlite::SqliteDriver;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

type Pool = pool_core::Pool<SqliteDriver>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_ansi(false).init();
    // From here on it ends in order.
    let mut terminated = signal(SignalKind::terminate())?;

    let file = env::var("POOLS_FILE")?;
    let manager = ConnectionManager::new(ManagerOptions {
        drivers: Drivers::default().register(SqliteDriver::SCHEMES, SqliteDriver::from_url),
        sources: NamedSources::default().toml_file(&file).environment(env::vars_os()),
        ..ManagerOptions::default()
    })?;

    let probes = Probes::new();
    for pool in manager.controls() {
        let checker = HealthChecker::start(&pool, HealthOptions::default())?;
        probes.require(Arc::new(checker));
    }
    let probes_at = HttpOptions {
        address: env::var("PROBES_ADDRESS")?.parse()?,
        token: env::var("PROBES_TOKEN").ok().map(Secret::new),
        ..HttpOptions::default()
    };
    let endpoint = HealthEndpoint::start(&probes_at, &probes)?;
    println!("probes at {}", endpoint.address());
    let reloader = Reloader::start(&manager, &file, &ReloadOptions::default())?;
    probes.note(reloader.note());

    let listener = TcpListener::bind(env::var("SERVICE_ADDRESS")?).await?;
    println!("serves at {}", listener.local_addr()?);
    let service = tokio::spawn(serve(listener, manager.pool("visits")?));

    terminated.recv().await;
    let ending = ShutdownOptions {
        notice: seconds("SHUTDOWN_NOTICE_SECONDS")?,
        drain: seconds("SHUTDOWN_DRAIN_SECONDS")?,
        ..ShutdownOptions::default()
    };
    // It still serves meanwhile, as some have not heard yet that it is not ready.
    println!("{}", probes.shutdown(&manager.controls(), ending).await?);
    service.abort();
    Ok(())
}

fn seconds(variable: &str) -> Result<Duration, Box<dyn Error>> {
    Ok(Duration::try_from_secs_f64(env::var(variable)?.parse()?)?)
}

async fn serve(listener: TcpListener, pool: Pool) {
    loop {
        match listener.accept().await {
            Ok((visitor, _)) => drop(tokio::spawn(welcome_or_tell(visitor, pool.clone()))),
            Err(error) => {
                tracing::error!(%error, "a visitor was not let in");
                // Most likely too many files are open: tried again at once, it would be in vain.
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn welcome_or_tell(visitor: TcpStream, pool: Pool) {
    if let Err(error) = welcome(visitor, &pool).await {
        tracing::error!(%error, "a visitor was not welcomed");
    }
}

async fn welcome(mut visitor: TcpStream, pool: &Pool) -> Result<(), Box<dyn Error>> {
    let mut connection = pool.acquire().await?;
    connection.execute_batch("create table if not exists visits (at)").await?;
    connection.execute("insert into visits values (unixepoch())", ()).await?;
    let count: i64 =
        connection.query_row("select count(*) from visits", (), |row| row.get(0)).await?;
    drop(connection);
    visitor.write_all(format!("you are number {count}\n").as_bytes()).await?;
    Ok(())
}
