//! A fresh database of one server, for one test.

use std::fmt;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use super::access::{Access, PASSWORD};
use super::error::ServerError;
use super::product::{Family, Product};

/// A database of its own for one test. It goes with its server.
#[derive(Clone, Debug)]
pub struct Database {
    access: Access,
    name: String,
}

impl Database {
    /// A new one, empty, whose name begins with `name`.
    pub(super) fn new(access: &Access, name: &str) -> Result<Self, ServerError> {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || name.len() > LONGEST || !name.bytes().all(is_plain) {
            return Err(ServerError::Input {
                input: format!("the database name `{name}`"),
                problem: format!("is not 1 to {LONGEST} of a-z, 0-9 and _"),
            });
        }
        if access.product == Product::Redis {
            return Err(ServerError::Input {
                input: "a database of redis".to_owned(),
                problem: "has no name and is always there; use `Access::url` with its number"
                    .to_owned(),
            });
        }
        let name = format!("{name}_{}", unique());
        access.run(&access.first_database, &format!("CREATE DATABASE {name};"))?;
        Ok(Self { access: access.clone(), name })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its URL, password included.
    #[must_use]
    pub fn url(&self) -> String {
        self.access.url(&self.name)
    }

    /// How its server is reached.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Runs statements in it through the server's own client program, and returns the rows, one a
    /// line.
    ///
    /// # Errors
    ///
    /// As [`Access::run`].
    pub fn run(&self, statements: &str) -> Result<String, ServerError> {
        self.access.run(&self.name, statements)
    }

    /// A new user who may do everything in it and nothing elsewhere, as an application's should be.
    ///
    /// # Errors
    ///
    /// As [`Access::run`].
    pub fn ordinary_user(&self) -> Result<Access, ServerError> {
        let name = format!("user_{}", unique());
        let database = &self.name;
        let statements = match self.access.product.family() {
            Family::Postgres => format!(
                "CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'; \
                 ALTER DATABASE {database} OWNER TO {name};"
            ),
            Family::MySql | Family::Redis => format!(
                "CREATE USER {name}@'%' IDENTIFIED BY '{PASSWORD}'; \
                 GRANT ALL ON {database}.* TO {name}@'%';"
            ),
        };
        self.run(&statements)?;
        let first_database = database.clone();
        let password = PASSWORD.to_owned();
        Ok(Access { user: name, password, first_database, ..self.access.clone() })
    }

    /// Removes it, cutting off those who are connected to it.
    ///
    /// # Errors
    ///
    /// As [`Access::run`].
    pub fn remove(self) -> Result<(), ServerError> {
        let Self { access, name } = &self;
        let force = match access.product.family() {
            Family::Postgres => " WITH (FORCE)",
            Family::MySql | Family::Redis => "",
        };
        access.run(&access.first_database, &format!("DROP DATABASE {name}{force};")).map(drop)
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Names have at most 63 bytes, and ours end with two numbers.
const LONGEST: usize = 40;

/// Other processes make names on the same server.
fn unique() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let serial = MADE.fetch_add(1, Ordering::Relaxed);
    format!("{}_{serial}", process::id())
}
