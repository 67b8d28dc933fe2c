//! One setting in every form that a pool reads, ready to paste.

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
            url: format!("{}?pool_{field}={value}", url(database)),
            environment: format!("POOL_{}={value}", field.to_uppercase()),
            rust: format!("PoolConfig {{ {field}: {value}, ..PoolConfig::default() }}"),
        }
    }
}

fn url(database: &Metadata) -> String {
    let Metadata { system_name, server_address, server_port, namespace, .. } = database;
    let scheme = if system_name == "postgresql" { "postgres" } else { system_name };
    let name = namespace.as_deref().unwrap_or_default();
    match server_address {
        Some(address) => {
            // An IPv6 address has colons of its own.
            let address =
                if address.contains(':') { format!("[{address}]") } else { address.clone() };
            let port = server_port.map_or_else(String::new, |port| format!(":{port}"));
            format!("{scheme}://{address}{port}/{name}")
        }
        None => format!("{scheme}:{name}"),
    }
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
        let rust = PoolConfig { max_open: 16, ..PoolConfig::default() };
        assert_eq!(resolved(&Sources::default().url(&forms("max_open").url)).config(), &rust);
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
