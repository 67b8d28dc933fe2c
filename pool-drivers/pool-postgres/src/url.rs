//! Reading [`PostgresOptions`] from a URL.
//!
//! What a message repeats of one is chosen with care: a password that was not escaped may look like
//! any other part.

use pool_core::url::decode_secret;
use pool_core::{ConfigError, Problem};

use crate::options::PostgresOptions;
use crate::parameters::{Draft, port};

const FORM: &str = "postgres://user:password@host:port/database?parameter=value";

impl PostgresOptions {
    /// Reads a URL: `postgres://user:password@host:port/database?parameter=value`, or
    /// `postgresql://`. Each part may be missing; several hosts are separated by commas; the
    /// directory of a socket is given as `?host=/run/postgresql` or with its slashes escaped as
    /// `%2F`. User, password, hosts, database and values are percent-decoded; an `@` within one of
    /// them must be escaped as `%40`.
    ///
    /// Parameters, by the names that PostgreSQL's own clients use: `host`, `hostaddr`, `port`,
    /// `user`, `password`, `dbname`, `application_name`, `options`, `target_session_attrs`,
    /// `load_balance_hosts`, `connect_timeout`, `keepalives`, `sslmode`, `sslrootcert`, `sslcert`,
    /// `sslkey`, `channel_binding`; and ours: `hygiene` (`rollback`, `clean`, `discard-all`,
    /// `trust`), `statement_cache` (a number, or `off`), `fleet` (the name of one, instead of
    /// `application_name`: the program is called as a new member of it, see
    /// [`FleetName::tag`](pool_core::FleetName::tag)). Environment variables and password files are not
    /// read.
    ///
    /// ```
    /// use pool_postgres::{Hygiene, PostgresOptions, TargetSession};
    ///
    /// let url = "postgres://shop:s3cret@one,two:5433/orders?target_session_attrs=read-write&hygiene=clean";
    /// let options = PostgresOptions::from_url(url)?;
    /// assert_eq!(options.hosts[1].to_string(), "two:5433");
    /// assert_eq!(options.target_session_attrs, TargetSession::ReadWrite);
    /// assert_eq!(options.hygiene, Hygiene::Clean);
    ///
    /// let error = PostgresOptions::from_url("postgres://db/orders?sslmod=require&port=x").unwrap_err();
    /// assert_eq!(error.problems().len(), 2);
    /// assert_eq!(error.problems()[0].nearest.as_deref(), Some("sslmode"));
    /// # Ok::<(), pool_core::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem at once: what was given, what is allowed, and the nearest
    /// name; never a password.
    pub fn from_url(url: &str) -> Result<Self, ConfigError> {
        let rest = strip_scheme(url)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        if tail.contains('@') {
            let why = "an @ after the first /, ? or #: where the password ends is anybody's guess";
            let allowed = "%40 for an @, %2F for a /, %3F for a ?, %23 for a #";
            return Err(Problem::invalid("url", "", why, allowed).into());
        }
        if tail.contains('#') {
            let why = "a fragment has no meaning here";
            return Err(Problem::invalid("url", "", why, "%23 for a #").into());
        }
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        let mut draft = Draft::new();
        read_authority(authority, &mut draft);
        match path.strip_prefix('/') {
            Some("") | None => {}
            Some(database) => {
                set_decoded(&mut draft, "dbname", database);
            }
        }
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match decode_secret("parameter", name) {
                Ok(name) => set_decoded(&mut draft, &name, value),
                Err(problem) => draft.problems.push(problem),
            }
        }
        draft.finish()
    }
}

/// What follows the scheme; of another scheme no more than its name is repeated.
fn strip_scheme(url: &str) -> Result<&str, Problem> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(Problem::invalid("url", "", "no scheme", FORM));
    };
    let schemes = crate::PostgresDriver::SCHEMES;
    if schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Ok(rest);
    }
    Err(Problem::unknown("scheme", scheme, schemes.iter().copied()))
}

fn read_authority(authority: &str, draft: &mut Draft) {
    let (who, hosts) = match authority.rsplit_once('@') {
        Some((who, hosts)) => (Some(who), hosts),
        None => (None, authority),
    };
    if let Some(who) = who {
        let (user, password) = who.split_once(':').unwrap_or((who, ""));
        for (name, value) in [("user", user), ("password", password)] {
            match decode_secret(name, value) {
                Ok(value) if value.is_empty() => {}
                Ok(value) if name == "user" => draft.options.user = Some(value),
                Ok(value) => draft.options.password = Some(value.into()),
                Err(problem) => draft.problems.push(problem),
            }
        }
    }
    if hosts.is_empty() {
        return;
    }
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in hosts.split(',') {
        let (name, number) = split_port(host);
        match (decode_secret("host", name), port(number)) {
            (Ok(name), Some(port)) => {
                names.push(name);
                ports.push(port);
            }
            (Err(problem), _) => draft.problems.push(problem),
            // Without a host the password may stand here.
            (_, None) => {
                let why = "what follows the : after the host is no port, and is not repeated here";
                draft.problems.push(Problem::invalid("host", "", why, FORM));
            }
        }
    }
    draft.hosts = Some(names);
    draft.ports = Some(ports);
}

fn split_port(host: &str) -> (&str, &str) {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => (address, rest.strip_prefix(':').unwrap_or(rest)),
        None => host.split_once(':').unwrap_or((host, "")),
    }
}

fn set_decoded(draft: &mut Draft, name: &str, value: &str) {
    match decode_secret("parameter", value) {
        Ok(value) => draft.set(name, &value),
        Err(problem) => draft.refuse(name, problem),
    }
}
