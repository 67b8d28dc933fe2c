//! One setting in every form that a pool reads, ready to paste.

use std::fmt::Write as _;

use pool_core::Metadata;
use serde::{Deserialize, Serialize};

/// One setting in every form that a pool reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PasteForms {
    /// For a TOML file.
    pub toml: String,
    /// The database's URL with it as a parameter. User, password and other parameters are left out.
    pub url: String,
    /// For the environment.
    pub environment: String,
    /// For Rust.
    pub rust: String,
}

impl PasteForms {
    /// Of a field that holds a number. The URL is made of what the driver tells of the database,
    /// which is nothing secret.
    pub(crate) fn new(field: &str, value: usize, database: &Metadata) -> Self {
        Self {
            toml: format!("[pool]\n{field} = {value}\n"),
            url: url(database, &format!("pool_{field}={value}")),
            environment: format!("POOL_{}={value}", field.to_uppercase()),
            rust: format!("PoolConfig {{ {field}: {value}, ..PoolConfig::default() }}"),
        }
    }
}

/// The database's URL with this parameter.
fn url(database: &Metadata, parameter: &str) -> String {
    let Metadata { system_name, server_address, server_port, namespace, .. } = database;
    let scheme = if system_name == "postgresql" { "postgres" } else { system_name };
    let name = namespace.as_deref().unwrap_or_default();
    match server_address {
        // A path is that of a socket: PostgreSQL's of its directory, MySQL's of the file.
        Some(path) if path.starts_with('/') => {
            let (name, path) = (encoded(name, ""), encoded(path, "/"));
            let socket = match server_port {
                Some(port) => format!("host={path}&port={port}"),
                None => format!("socket={path}"),
            };
            format!("{scheme}:///{name}?{socket}&{parameter}")
        }
        Some(address) => {
            // An IPv6 address has colons of its own.
            let address =
                if address.contains(':') { format!("[{address}]") } else { address.clone() };
            let port = server_port.map_or_else(String::new, |port| format!(":{port}"));
            format!("{scheme}://{address}{port}/{}?{parameter}", encoded(name, ""))
        }
        None => format!("{scheme}:{}?{parameter}", encoded(name, "/:")),
    }
}

/// Percent-encodes all but letters, digits and what is `kept`.
fn encoded(text: &str, kept: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_alphanumeric() || "-._~".contains(character) || kept.contains(character) {
            encoded.push(character);
            continue;
        }
        for byte in character.encode_utf8(&mut [0; 4]).bytes() {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use pool_core::{PoolConfig, Resolved, Sources};

    use super::*;

    fn forms(field: &str) -> PasteForms {
        let mut database = Metadata::new("postgresql");
        database.server_address = Some("db.example".to_owned());
        database.server_port = Some(5432);
        database.namespace = Some("shop".to_owned());
        PasteForms::new(field, 16, &database)
    }

    fn resolved(sources: &Sources) -> Resolved {
        sources.load().resolve().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn every_form_that_is_read_back_gives_the_same_settings() {
        for field in ["max_open", "max_idle", "max_waiters", "max_opening"] {
            let PasteForms { toml, url, environment, rust } = forms(field);
            let mut expected = PoolConfig::default();
            expected.set(field, "16").expect("a number");
            let (name, value) = environment.split_once('=').expect("a variable");
            for sources in [
                Sources::default().toml("pool.toml", &toml),
                Sources::default().url(&url),
                Sources::default().environment([(name, value)]),
            ] {
                assert_eq!(resolved(&sources).config(), &expected, "{sources:?}");
            }
            assert_eq!(rust, format!("PoolConfig {{ {field}: 16, ..PoolConfig::default() }}"));
        }
    }

    #[test]
    fn what_is_pasted_into_rust_compiles_and_is_the_same() {
        // Written as it is printed, so that the compiler reads it.
        macro_rules! pasted {
            ($($field:ident)*) => { [$((
                stringify!($field),
                stringify!(PoolConfig { $field: 16, ..PoolConfig::default() }),
                PoolConfig { $field: 16, ..PoolConfig::default() },
            )),*] };
        }
        for (field, text, config) in pasted!(max_open max_idle min_idle max_waiters max_opening) {
            // The compiler spaces it in its own way.
            let [printed, text] = [&*forms(field).rust, text].map(|it| it.replace(' ', ""));
            assert_eq!(printed, text);
            let mut expected = PoolConfig::default();
            expected.set(field, "16").expect("a number");
            assert_eq!(config, expected);
        }
    }

    #[test]
    fn a_name_with_signs_of_a_url_in_it_is_read_back_as_it_was() {
        for name in ["/srv/my data/50% #1?.db", "orders@home.db", "bücher&mehr.db", ":memory:"] {
            let mut file = Metadata::new("sqlite");
            file.namespace = Some(name.to_owned());
            let url = PasteForms::new("max_idle", 1, &file).url;
            let (path, parameters) = url.split_once('?').expect("parameters");
            assert_eq!(parameters, "pool_max_idle=1");
            let options = pool_sqlite::SqliteOptions::from_url(path);
            let options = options.unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(options.source.to_string(), name, "{url}");
        }
    }

    #[test]
    fn a_server_by_its_socket_is_no_host() {
        let mut local = Metadata::new("mysql");
        local.server_address = Some("/run/mysqld/mysqld.sock".to_owned());
        local.namespace = Some("a/b".to_owned());
        let url = PasteForms::new("max_open", 4, &local).url;
        assert_eq!(url, "mysql:///a%2Fb?socket=/run/mysqld/mysqld.sock&pool_max_open=4");
        let mut local = Metadata::new("postgresql");
        local.server_address = Some("/run/postgresql".to_owned());
        local.server_port = Some(5432);
        local.namespace = Some("shop".to_owned());
        let url = PasteForms::new("max_open", 4, &local).url;
        assert_eq!(url, "postgres:///shop?host=/run/postgresql&port=5432&pool_max_open=4");
    }

    #[test]
    fn a_url_names_server_and_database_and_nothing_else() {
        assert_eq!(forms("max_open").url, "postgres://db.example:5432/shop?pool_max_open=16");
        let mut file = Metadata::new("sqlite");
        file.namespace = Some("orders.db".to_owned());
        assert_eq!(PasteForms::new("max_open", 4, &file).url, "sqlite:orders.db?pool_max_open=4");
        let mut local = Metadata::new("mysql");
        local.server_address = Some("::1".to_owned());
        assert_eq!(PasteForms::new("max_open", 4, &local).url, "mysql://[::1]/?pool_max_open=4");
    }
}
