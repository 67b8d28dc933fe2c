//! [`PoolConfig`] through serde: a map of field names to whole numbers or text.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::fields::Value;
use super::{ConfigError, FIELDS, PoolConfig};

impl Serialize for PoolConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(FIELDS.len()))?;
        for field in FIELDS {
            match field.get(self) {
                Value::Count(count) if count != Self::UNLIMITED => {
                    map.serialize_entry(field.name, &count)?;
                }
                value => map.serialize_entry(field.name, &value.to_string())?,
            }
        }
        map.end()
    }
}

/// Fields that are absent keep their default; every problem is reported in one error.
impl<'de> Deserialize<'de> for PoolConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = PoolConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of pool settings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PoolConfig, A::Error> {
        let mut config = PoolConfig::default();
        let mut problems = Vec::new();
        while let Some((name, Text(text))) = map.next_entry::<String, Text>()? {
            problems.extend(config.set(&name, &text).err());
        }
        ConfigError::from_problems(problems).map_err(A::Error::custom)?;
        Ok(config)
    }
}

/// A whole number or a text, as text.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor).map(Text)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number or a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_u64<E>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_i64<E>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_survives_the_way_through_serde() {
        let config = PoolConfig { max_open: 3, keepalive: None, ..PoolConfig::default() };
        let text = serde_json::to_string(&config).expect("serialises");
        assert!(
            text.contains(r#""max_open":3"#) && text.contains(r#""keepalive":"off""#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<PoolConfig>(&text).expect("deserialises"), config);
    }

    #[test]
    fn unknown_keys_and_bad_values_are_all_reported() {
        let text = r#"{"max_opn": 3, "acquire_timeout": 30, "max_idle": -1}"#;
        let error =
            serde_json::from_str::<PoolConfig>(text).expect_err("three mistakes").to_string();
        for part in ["did you mean \"max_open\"?", "acquire_timeout = \"30\"", "max_idle = \"-1\""]
        {
            assert!(error.contains(part), "{part} not in {error}");
        }
    }
}
