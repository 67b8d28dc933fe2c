//! What one server stands on while it is prepared and started.

use std::process::Command;

use super::account::{Account, Farewell};
use super::directory::Directory;
use super::error::ServerError;
use super::installation::Installation;
use super::product::{Family, Product};
use super::setup::Setup;
use super::{mariadb, postgres};

/// Its programs, its user, its folder, its port, and how it is wanted.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) setup: Setup,
    pub(super) installation: Installation,
    pub(super) account: Account,
    pub(super) directory: Directory,
    pub(super) port: u16,
}

impl Ground {
    pub(super) fn new(setup: Setup, port: u16) -> Result<Self, ServerError> {
        let installation = Installation::find(setup.product, setup.fetching)?;
        let account = Account::of_servers();
        let directory = Directory::new(account)?;
        Ok(Self { setup, installation, account, directory, port })
    }

    pub(super) fn product(&self) -> Product {
        self.setup.product
    }

    /// Makes the server's first data.
    pub(super) fn initialise(&self) -> Result<(), ServerError> {
        match self.product().family() {
            Family::Postgres => postgres::initialise(self),
            Family::MySql => mariadb::initialise(self),
        }
    }

    /// What starts the server.
    pub(super) fn server(&self) -> Command {
        match self.product().family() {
            Family::Postgres => postgres::server(self),
            Family::MySql => mariadb::server(self),
        }
    }

    /// A program of the server's, run to its end as the user of servers.
    pub(super) fn program(&self, name: &str) -> Command {
        let mut command = self.account.command(&self.installation.program(name));
        self.installation.equip(&mut command).current_dir(&*self.directory);
        command
    }

    /// A program that dies with this process.
    pub(super) fn mortal(&self, farewell: Farewell, name: &str) -> Command {
        let mut command = self.account.mortal(farewell, &self.installation.program(name));
        self.installation.equip(&mut command).current_dir(&*self.directory);
        command
    }
}
