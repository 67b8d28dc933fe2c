//! What every span of a pool says of its database.

use std::borrow::Cow;

use opentelemetry::KeyValue;
use opentelemetry::global::BoxedSpan;
use opentelemetry::trace::Span as _;
use pool_core::{Control, Metadata};

use crate::sql::Dialect;

pub(super) struct Database {
    pub(super) dialect: Dialect,
    /// The system's name alone: what a sampler may decide by.
    pub(super) system: KeyValue,
    /// The database, its server or the system: what a span is about if nobody knows more.
    pub(super) target: String,
    /// Everything else.
    attributes: Vec<KeyValue>,
}

impl Database {
    pub(super) fn of(pool: &dyn Control) -> Self {
        let metadata = pool.metadata();
        let port = metadata.server_port.filter(|port| Some(*port) != usual_port(&metadata));
        let mut attributes =
            vec![KeyValue::new("db.client.connection.pool.name", pool.name().to_owned())];
        let mut add = |key, value: Option<&String>| {
            attributes.extend(value.map(|value| KeyValue::new(key, value.clone())));
        };
        add("db.namespace", metadata.namespace.as_ref());
        add("server.address", metadata.server_address.as_ref());
        attributes.extend(port.map(|port| KeyValue::new("server.port", i64::from(port))));
        let Metadata { system_name, server_address, namespace, .. } = metadata;
        let system: Cow<'static, str> = system_name;
        Self {
            dialect: Dialect::of(&system),
            target: namespace.or(server_address).unwrap_or_else(|| system.clone().into_owned()),
            system: KeyValue::new("db.system.name", system),
            attributes,
        }
    }

    /// Says it all of a span that was begun with the system's name.
    pub(super) fn describe(&self, span: &mut BoxedSpan) {
        span.set_attributes(self.attributes.iter().cloned());
    }
}

fn usual_port(metadata: &Metadata) -> Option<u16> {
    match &*metadata.system_name {
        "postgresql" => Some(5432),
        "mysql" | "mariadb" => Some(3306),
        _ => None,
    }
}
