//! Reading [`MysqlOptions`] from a URL.
//!
//! One table of parameters says what is understood and what is allowed. What stands before them is
//! read in `location.rs`; parameters of the pool are not here.

use std::path::PathBuf;

use pool_core::url::{Parameter, choice, decode, decode_secret};
use pool_core::{ConfigError, FleetName, MemberId, Problem, parse_duration};

use crate::location;
use crate::options::{Address, Hygiene, MysqlOptions, TlsMode};

/// The parameters of a URL.
const PARAMETERS: &[Parameter<MysqlOptions>] = &[
    Parameter {
        name: "socket",
        allowed: "the path of a unix socket, in a URL without host: mysql:///orders?socket=/run/m.sock",
        write: |options, text| {
            let Address::Tcp { host, .. } = &options.address else { return None };
            if !host.is_empty() || text.is_empty() {
                return None;
            }
            options.address = Address::Socket(PathBuf::from(text));
            Some(())
        },
    },
    Parameter {
        name: "tls",
        allowed: "disable, prefer, require or verify-full",
        write: |options, text| {
            options.tls = Some(choice(&TlsMode::ALL, TlsMode::name, text)?);
            Some(())
        },
    },
    Parameter {
        name: "tls_ca",
        allowed: "the path of a PEM file",
        write: |options, text| path(text).map(|path| options.tls_ca = Some(path)),
    },
    Parameter {
        name: "tls_cert",
        allowed: "the path of a PEM file",
        write: |options, text| path(text).map(|path| options.tls_cert = Some(path)),
    },
    Parameter {
        name: "tls_key",
        allowed: "the path of a PEM file",
        write: |options, text| path(text).map(|path| options.tls_key = Some(path)),
    },
    Parameter {
        name: FLEET,
        allowed: FleetName::ALLOWED,
        write: |options, text| {
            options.program_name = FleetName::new(text).ok()?.tag(MemberId::draw());
            Some(())
        },
    },
    Parameter {
        name: PROGRAM_NAME,
        allowed: "any name",
        write: |options, text| {
            text.clone_into(&mut options.program_name);
            Some(())
        },
    },
    Parameter {
        name: "tcp_keepalive",
        allowed: "a duration such as 60s, or off",
        write: |options, text| {
            options.tcp_keepalive = match text {
                "off" => None,
                _ => Some(parse_duration(text).filter(|time| !time.is_zero())?),
            };
            Some(())
        },
    },
    Parameter {
        name: "statement_cache",
        allowed: "a whole number of statements such as 64, or off",
        write: |options, text| {
            options.statement_cache = if text == "off" { 0 } else { text.parse().ok()? };
            Some(())
        },
    },
    Parameter {
        name: "hygiene",
        allowed: "rollback, clean, discard-all or trust",
        write: |options, text| {
            options.hygiene = choice(&Hygiene::ALL, Hygiene::name, text)?;
            Some(())
        },
    },
];

const FLEET: &str = "fleet";
const PROGRAM_NAME: &str = "program_name";

/// What other clients call `tls`. Not similar enough for a suggestion, and too dangerous to miss.
const OTHER_NAMES_OF_TLS: [&str; 6] =
    ["ssl", "sslmode", "ssl-mode", "ssl_mode", "require_ssl", "verify_identity"];

fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| text.into())
}

impl MysqlOptions {
    /// Reads a URL: `mysql://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETERS`, or with `mariadb`.
    ///
    /// Everything but the host may be left out; the port is then 3306. User, password, database and
    /// values are percent-decoded. An IPv6 address stands in brackets. A server at a unix socket has
    /// no host: `mysql://USER:PASSWORD@/DATABASE?socket=/run/mysqld/mysqld.sock`.
    ///
    /// Parameters: `socket`; `tls` (`disable`, `prefer`, `require`, `verify-full`), `tls_ca`,
    /// `tls_cert`, `tls_key` (paths of PEM files); `program_name`, or else `fleet` (the name of one: the
    /// program is called as a new member of it, see [`FleetName::tag`]); `tcp_keepalive` (`60s`, `off`);
    /// `statement_cache`; `hygiene` (`rollback`, `clean`, `discard-all`, `trust`).
    ///
    /// ```
    /// use pool_mysql::{Address, Hygiene, MysqlOptions};
    ///
    /// let options = MysqlOptions::from_url("mysql://app:p%40ss@db.local/orders?hygiene=clean")?;
    /// assert_eq!(options.address, Address::Tcp { host: "db.local".to_owned(), port: 3306 });
    /// assert_eq!(options.hygiene, Hygiene::Clean);
    ///
    /// let error = MysqlOptions::from_url("mysql://db/orders?hygeine=clean&tls=on").unwrap_err();
    /// assert_eq!(error.problems().len(), 2);
    /// assert_eq!(error.problems()[0].nearest.as_deref(), Some("hygiene"));
    /// # Ok::<(), pool_core::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem at once: what was given, what is allowed, and the nearest
    /// name. What may be part of a password is never repeated.
    pub fn from_url(url: &str) -> Result<Self, ConfigError> {
        let location = location::read(url)?;
        let mut problems = Vec::new();
        let mut decoded = |field, text: Option<&str>, decode: Decode| {
            decode(field, text?).map_err(|problem| problems.push(problem)).ok()
        };
        let host = decoded("host", Some(location.host), decode).unwrap_or_default();
        let user = decoded("user", location.user, decode_secret);
        let password = decoded("password", location.password, decode_secret);
        let database = decoded("database", location.database, decode);
        let mut options = Self::tcp(host, location.port);
        options.system = location.system;
        options.user = user.filter(|user| !user.is_empty()).unwrap_or(options.user);
        options.password = password.map_or(options.password, Into::into);
        options.database = database;
        let pairs = Parameter::read(PARAMETERS, location.query, &mut problems);
        for (name, value) in &pairs {
            problems.extend(options.set(name, value).err());
        }
        let given = |name| pairs.iter().find(|(given, _)| given == name);
        if let (Some(_), Some((field, value))) = (given(FLEET), given(PROGRAM_NAME)) {
            let why = "a fleet names its members' connections itself";
            let allowed = "fleet without program_name, or program_name without fleet";
            problems.push(Problem::invalid(field, value, why, allowed));
        }
        problems.extend(options.problems());
        ConfigError::from_problems(problems)?;
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        if OTHER_NAMES_OF_TLS.contains(&name) {
            let mut problem = Problem::unknown("parameter", name, ["tls"].into_iter());
            problem.nearest = Some("tls".into());
            return Err(problem);
        }
        let parameter = Parameter::named(PARAMETERS, name)?;
        if name == "tls" && value.eq_ignore_ascii_case("verify-ca") {
            let why = "the client library would not keep to it: it has a switch for certificates \
                       of another name, without effect";
            return Err(Problem::invalid(name, value, why, parameter.allowed));
        }
        parameter.set(self, value)
    }
}

type Decode = fn(&str, &str) -> Result<String, Problem>;
