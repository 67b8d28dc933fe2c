//! How a server is reached: its address, its first user, its client program.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::database::Database;
use super::error::ServerError;
use super::installation::Installation;
use super::layout::layout;
use super::product::{Family, Product};
use super::program;
use super::tls::TlsFiles;
use super::{mariadb, postgres, redis};

/// The user of every server we start, who may do everything.
pub const USER: &str = "pool";

/// That user's password: a word that tests can look for where no password may be.
pub const PASSWORD: &str = "canary-pool-testkit-1f7c";

/// How a server is reached.
#[derive(Clone)]
pub struct Access {
    /// Which server.
    pub product: Product,
    /// Its host, loopback for our own.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// A user who may make databases and users.
    pub user: String,
    /// That user's password.
    pub password: String,
    /// A database that is there, to make others from.
    pub first_database: String,
    /// The file of the authority that vouches for it, if it is known to talk TLS.
    pub authority: Option<PathBuf>,
}

impl Access {
    /// To a server of our own.
    pub(super) fn own(product: Product, port: u16, tls: Option<&TlsFiles>) -> Self {
        let first = product.family().first_database();
        let user = if product == Product::Redis { "default" } else { USER };
        let [host, user, password, first_database] =
            ["127.0.0.1", user, PASSWORD, first].map(str::to_owned);
        let authority = tls.map(|files| files.authority.clone());
        Self { product, host, port, user, password, first_database, authority }
    }

    /// To a server that somebody else started, by the URL found in `place`.
    ///
    /// # Errors
    ///
    /// The URL has another form than `postgres://user:password@host:port/database`.
    pub fn given(product: Product, url: &str, place: &str) -> Result<Self, ServerError> {
        let family = product.family();
        parse(product, url).ok_or_else(|| ServerError::Input {
            input: format!("the URL in {place}"),
            problem: format!("is not {}://user:password@host:port/database", family.scheme()),
        })
    }

    /// The URL of `database`, password included.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let Self { product, host, port, user, password, .. } = self;
        let scheme = product.family().scheme();
        let [user, password] = [user, password].map(|word| encoded(word));
        format!("{scheme}://{user}:{password}@{host}:{port}/{database}")
    }

    /// The environment in which tests share this server, and run their own of its product.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let family = self.product.family();
        let authority =
            self.authority.as_ref().map(|path| (family.authority_variable(), path.into()));
        let named = (family.variable(), self.product.name().into());
        let url = (family.url_variable(), self.url(&self.first_database).into());
        [named, url].into_iter().chain(authority).collect()
    }

    /// A fresh, empty database whose name begins with `name`.
    ///
    /// # Errors
    ///
    /// `name` is not of lower-case letters, digits and `_`, or the server refuses.
    pub fn database(&self, name: &str) -> Result<Database, ServerError> {
        Database::new(self, name)
    }

    /// Runs statements in `database` through the server's own client program, and returns the rows,
    /// one a line.
    ///
    /// # Errors
    ///
    /// [`ServerError::Refused`] with the server's or the client's words, [`ServerError::Program`]
    /// if there is no client program.
    pub fn run(&self, database: &str, statements: &str) -> Result<String, ServerError> {
        self.run_within(program::PATIENCE, database, statements)
    }

    /// As [`run`](Self::run), for no longer than `bound`.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and [`ServerError::Unready`] after `bound`.
    pub fn run_within(
        &self,
        bound: Duration,
        database: &str,
        statements: &str,
    ) -> Result<String, ServerError> {
        let product = self.product;
        let command = self.client(database)?;
        let ended = program::run(command, statements, bound)
            .map_err(|source| ServerError::System { task: "run the server's client", source })?;
        if ended.successful {
            return Ok(ended.printed.trim_end().to_owned());
        }
        if ended.timed_out {
            return Err(ServerError::Unready { product, waited: bound, log: String::new() });
        }
        Err(ServerError::Refused { product, message: ended.complained })
    }

    /// The server's own client program on `database`, which reads statements from its standard input.
    ///
    /// # Errors
    ///
    /// [`ServerError::Missing`] if there is no client program.
    pub fn client(&self, database: &str) -> Result<Command, ServerError> {
        let installation = Installation::of_client(self.product)?;
        let words = installation.call(layout(self.product).client);
        let mut command = Command::new(&words[0]);
        installation.equip(command.args(&words[1..]));
        Ok(match self.product.family() {
            Family::Postgres => postgres::client(self, command, database),
            Family::MySql => mariadb::client(self, command, database),
            Family::Redis => redis::client(self, command, database),
        })
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { product, host, port, user, .. } = self;
        write!(f, "Access({product} as {user} at {host}:{port})")
    }
}

fn parse(product: Product, url: &str) -> Option<Access> {
    let (scheme, rest) = url.split_once("://")?;
    let family = product.family();
    (scheme == family.scheme() || (scheme, family) == ("postgresql", Family::Postgres))
        .then_some(())?;
    let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, place) = place.rsplit_once('@')?;
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let (host, port) = place.rsplit_once(':')?;
    let database = path.split('?').next().filter(|name| !name.is_empty());
    Some(Access {
        product,
        host: host.to_owned(),
        port: port.parse().ok()?,
        user: decoded(user)?,
        password: decoded(password)?,
        first_database: decoded(database.unwrap_or(family.first_database()))?,
        authority: None,
    })
}

/// As a part of a URL, where every sign but the plainest is written as `%` and its bytes.
fn encoded(word: &str) -> String {
    let bytes = word.bytes();
    bytes
        .map(|byte| match byte {
            b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn decoded(word: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend(before.bytes());
        bytes.push(u8::from_str_radix(after.get(..2)?, 16).ok()?);
        rest = &after[2..];
    }
    bytes.extend(rest.bytes());
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_as_it_is_written() {
        let url = "postgres://me%40home:a%2Fb%25@db.example:5433/first";
        let access = Access::given(Product::Postgres15, url, "a test").expect("valid");
        assert_eq!((&*access.user, &*access.password), ("me@home", "a/b%"));
        assert_eq!(access.url("first"), url);
        let shorter = "postgresql://me@h:1?sslmode=disable";
        assert!(Access::given(Product::Postgres15, shorter, "a test").is_err());
    }

    #[test]
    fn a_url_that_makes_no_sense_is_not_repeated() {
        for url in
            ["mysql://u:secret@h:1/d", "postgres://u:secret@h/d", "postgres://secret%zz@h:1/d"]
        {
            let error = Access::given(Product::Postgres15, url, "POOL_URL").expect_err("refused");
            let expected = "the URL in POOL_URL is not postgres://user:password@host:port/database";
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn the_password_is_not_shown() {
        assert!(!format!("{:?}", Access::own(Product::Postgres15, 1, None)).contains(PASSWORD));
    }
}
