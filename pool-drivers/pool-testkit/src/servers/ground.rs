//! What one server stands on while it is prepared and started.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use super::access::Access;
use super::account::{Account, Farewell};
use super::cache;
use super::directory::Directory;
use super::error::{ServerError, Trying};
use super::installation::Installation;
use super::layout::layout;
use super::port::Port;
use super::product::Product;
use super::program::{PATIENCE, run_for};
use super::server::Server;
use super::setup::Setup;
use super::tls::{Tls, TlsFiles};
use super::{mariadb, mysql, pgbouncer, port, postgres, redis};

/// Its programs, its user, its folder, its port, and how it is wanted.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) setup: Setup,
    pub(super) installation: Installation,
    pub(super) account: Account,
    pub(super) directory: Directory,
    pub(super) port: Port,
    pub(super) tls: Option<TlsFiles>,
    /// What a proxy stands before.
    pub(super) behind: Option<Box<Server>>,
}

impl Ground {
    pub(super) fn new(setup: Setup) -> Result<Self, ServerError> {
        let installation = Installation::find(setup.product, setup.fetching)?;
        let account = Account::of_servers();
        let directory = Directory::new(account)?;
        if setup.product == Product::Postgres18
            && installation.is_fetched()
            && setup.tls != Tls::Off
        {
            return Err(ServerError::Input {
                input: "TLS".to_owned(),
                problem: format!("is not in the {} that is fetched; use another", setup.product),
            });
        }
        let port = port::free()?;
        let tls = TlsFiles::make(setup.tls, &directory, account)?;
        let behind = match setup.product {
            Product::PgBouncer => {
                let fetching = setup.fetching;
                let server = Setup { tls: Tls::Off, fetching, ..Setup::new(Product::Postgres15) };
                Some(Box::new(Server::start_as(server)?))
            }
            _ => None,
        };
        Ok(Self { setup, installation, account, directory, port, tls, behind })
    }

    /// How the server is reached once it runs.
    pub(super) fn access(&self) -> Access {
        Access::own(self.product(), self.port.number, self.tls.as_ref())
    }

    pub(super) fn product(&self) -> Product {
        self.setup.product
    }

    /// Gives the server its first data: a copy of what was made for the first one of its kind.
    pub(super) fn initialise(&self) -> Result<(), ServerError> {
        let make = match self.product() {
            Product::Postgres15 | Product::Postgres18 => postgres::initialise,
            Product::MariaDb => mariadb::initialise,
            Product::MySql => mysql::initialise,
            Product::PgBouncer | Product::Redis => return Ok(()),
        };
        let data = self.directory.join("data");
        let first = cache::get_or_make(&self.kind(), |folder| {
            make(self)?;
            copy(&data, &folder.join("data"))?;
            fs::remove_dir_all(&data).trying("remove", &data)
        })?;
        copy(&first.join("data"), &data)
    }

    /// Writes what the server reads as it starts.
    pub(super) fn configure(&self) -> Result<(), ServerError> {
        match (self.product(), &self.behind) {
            (Product::Postgres15 | Product::Postgres18, _) => postgres::admit(self),
            (Product::PgBouncer, Some(behind)) => pgbouncer::configure(self, behind),
            _ => Ok(()),
        }
    }

    /// What has the same first data: servers of one program, run by one user.
    fn kind(&self) -> String {
        let server = self.installation.program(layout(self.product()).programs[0]);
        let (length, changed) =
            fs::metadata(server).map_or((0, 0), |file| (file.len(), file.mtime()));
        format!("{}-data-{length}-{changed}-{}", self.product(), self.account.number())
    }

    /// What starts the server.
    pub(super) fn server(&self) -> Command {
        match self.product() {
            Product::Postgres15 | Product::Postgres18 => postgres::server(self),
            Product::MariaDb => mariadb::server(self),
            Product::MySql => mysql::server(self),
            Product::PgBouncer => pgbouncer::server(self),
            Product::Redis => redis::server(self),
        }
    }

    /// The signal that ends the server at once without leaving anything behind.
    pub(super) fn farewell(&self) -> Farewell {
        match self.product() {
            // Killed, it would leave shared memory behind.
            Product::Postgres15 | Product::Postgres18 => Farewell::Quit,
            _ => Farewell::Kill,
        }
    }

    /// A program of the server's, run to its end as the user of servers.
    pub(super) fn program(&self, name: &str) -> Command {
        let mut command = self.account.command(&self.installation.call(name));
        self.installation.equip(&mut command).current_dir(&*self.directory);
        command
    }

    /// A server that ends with this process.
    pub(super) fn mortal(&self, name: &str) -> Command {
        let mut command = self.account.mortal(self.farewell(), &self.installation.call(name));
        self.installation.equip(&mut command).current_dir(&*self.directory);
        command
    }
}

/// A folder with everything in it, and to whom it belongs.
fn copy(from: &Path, to: &Path) -> Result<(), ServerError> {
    let mut command = Command::new("cp");
    command.args(["--archive", "--reflink=auto"]).args([from, to]);
    run_for("copy a server's data", command, "", PATIENCE).map(drop)
}
