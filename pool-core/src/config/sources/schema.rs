//! The JSON Schema of the TOML form, for editors that complete and check it.

use std::fmt::Write as _;

use super::super::fields::Value;
use super::super::{FIELDS, PoolConfig, Preset};
use super::file::{ROUTES, TABLE, TABLES};

/// The JSON Schema (draft 2020-12) of a TOML file with the tables `[pool]`, `[pools.NAME]` and
/// `[routes.NAME]`, made from the table of fields.
#[must_use]
pub fn json_schema() -> String {
    let mut properties = String::new();
    let any = PoolConfig::default();
    for field in FIELDS {
        let description = format!("{}; {}", field.meaning, field.allowed);
        let least = u8::from(!field.zero_allowed);
        let form = match field.get(&any) {
            Value::Count(_) => format!(r#""type": ["integer", "string"], "minimum": {least}"#),
            Value::Percent(_) => {
                r#""type": ["integer", "string"], "minimum": 0, "maximum": 100"#.to_owned()
            }
            Value::Time(_) | Value::OptionalTime(_) if field.zero_allowed => {
                r#""type": ["integer", "string"], "minimum": 0, "maximum": 0"#.to_owned()
            }
            Value::Time(_) | Value::OptionalTime(_) => r#""type": "string""#.to_owned(),
        };
        let _ = writeln!(
            properties,
            "        {:?}: {{ {form}, \"description\": {description:?} }},",
            field.name,
        );
    }
    let presets: Vec<_> = Preset::ALL.iter().map(|preset| format!("{:?}", preset.name())).collect();
    format!(
        r##"{{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Settings of connection pools",
  "type": "object",
  "properties": {{
    "{TABLE}": {{ "$ref": "#/$defs/pool", "description": "the pool, or what goes for all of {TABLES}" }},
    "{TABLES}": {{
      "type": "object",
      "propertyNames": {{ "pattern": "^[a-z][a-z0-9]*([-_][a-z0-9]+)*$" }},
      "additionalProperties": {{ "$ref": "#/$defs/pool" }},
      "description": "pools by name"
    }},
    "{ROUTES}": {{
      "type": "object",
      "propertyNames": {{ "pattern": "^[a-z][a-z0-9]*([-_][a-z0-9]+)*$" }},
      "additionalProperties": {{
        "type": "object",
        "additionalProperties": false,
        "required": ["pools"],
        "properties": {{
          "pools": {{
            "type": "array",
            "items": {{ "type": "string" }},
            "minItems": 1,
            "uniqueItems": true,
            "description": "names of pools"
          }}
        }}
      }},
      "description": "pools that stand in for each other, such as a primary and its replicas"
    }}
  }},
  "$defs": {{
    "pool": {{
      "type": "object",
      "additionalProperties": false,
      "properties": {{
{properties}        "preset": {{ "enum": [{}], "description": "where to start from" }},
        "url": {{ "type": "string", "description": "the database's URL; pool_* parameters are settings" }},
        "url_file": {{ "type": "string", "description": "path of a file that holds the URL" }}
      }}
    }}
  }}
}}
"##,
        presets.join(", ")
    )
}
