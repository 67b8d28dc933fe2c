//! The parts of a URL before its parameters.
//!
//! What a message repeats of it is chosen with care: a password that was not escaped may have moved
//! into any part. Nothing is repeated of a URL whose parts are in doubt.

use pool_core::Problem;

use crate::options::{Address, System};

/// What a URL looks like, for messages.
const FORMS: &str = "mysql://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETERS, or mariadb://";

/// A URL taken apart, nothing decoded yet.
pub(crate) struct Location<'a> {
    pub(crate) system: System,
    pub(crate) user: Option<&'a str>,
    pub(crate) password: Option<&'a str>,
    /// Empty for a unix socket.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) database: Option<&'a str>,
    pub(crate) query: &'a str,
}

/// Takes a URL apart.
pub(crate) fn read(url: &str) -> Result<Location<'_>, Problem> {
    let (system, rest) = strip_scheme(url)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    if rest.contains('@') {
        let why = "an @ after the host: is it part of a user or password that is not escaped?";
        let allowed = "%2F for /, %3F for ?, %23 for #, %40 for @";
        return Err(Problem::not_shown("url", why, allowed));
    }
    let (credentials, host) = match authority.rsplit_once('@') {
        Some((credentials, host)) => (Some(credentials), host),
        None => (None, authority),
    };
    let (user, password) = match credentials.map(|text| text.split_once(':')) {
        Some(Some((user, password))) => (Some(user), Some(password)),
        Some(None) => (credentials, None),
        None => (None, None),
    };
    let (host, port) = split_port(host)?;
    if rest.contains('#') {
        let why = "a fragment has no meaning here";
        return Err(Problem::not_shown("url", why, "%23 for a #"));
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let database = path.strip_prefix('/').filter(|name| !name.is_empty());
    if let Some(name) = database.filter(|name| name.contains('/')) {
        let why = "a database has no parts";
        return Err(Problem::invalid("database", name, why, "one name; %2F for a / in it"));
    }
    Ok(Location { system, user, password, host, port, database, query })
}

fn strip_scheme(url: &str) -> Result<(System, &str), Problem> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(Problem::not_shown("url", "no scheme", FORMS));
    };
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
    if !scheme.chars().all(is_scheme) {
        return Err(Problem::not_shown("url", "no scheme", FORMS));
    }
    let named = |system: &System| system.name().eq_ignore_ascii_case(scheme);
    match System::ALL.into_iter().find(named) {
        Some(system) => Ok((system, rest)),
        None => Err(Problem::unknown("scheme", scheme, System::ALL.map(System::name).into_iter())),
    }
}

fn split_port(text: &str) -> Result<(&str, u16), Problem> {
    let (host, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(Some((host, ""))) => (host, None),
        Some(Some((host, rest))) if rest.starts_with(':') => (host, rest.get(1..)),
        Some(_) => return Err(Problem::not_shown("host", "no ] at its end", "[::1]")),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.contains(',') {
        let why = "one pool has one server";
        return Err(Problem::not_shown("host", why, "one host; a pool for each of them"));
    }
    // What stands here without an @ in the URL may be a password.
    let port = match port {
        None => Address::PORT,
        Some(port) => port
            .parse()
            .map_err(|_| Problem::not_shown("port", "not a number of a port", "1 to 65535"))?,
    };
    Ok((host, port))
}
