//! The JSON Schema of the settings in a file.

use pool_core::{FIELDS, Problem, Sources, json_schema};

#[test]
fn the_json_schema_agrees_with_the_reader_about_whole_numbers() {
    let schema: serde_json::Value = serde_json::from_str(&json_schema()).expect("JSON");
    for field in FIELDS {
        let property = &schema["$defs"]["pool"]["properties"][field.name];
        for number in [0, 30, 101] {
            let may = |bound: &str| property[bound].as_i64();
            let by_schema = property["type"].to_string().contains("integer")
                && may("minimum").is_none_or(|least| least <= number)
                && may("maximum").is_none_or(|most| most >= number);
            let toml = format!("[pool]\n{} = {number}\n", field.name);
            // Relations between fields are beyond a schema.
            let error = Sources::default().toml("p", &toml).load().resolve().err();
            let of_field = |problem: &Problem| {
                problem.field == field.name && !problem.why.starts_with("more than the pool keeps")
            };
            let by_reader = !error.is_some_and(|error| error.problems().iter().any(of_field));
            assert_eq!(by_schema, by_reader, "{} = {number}", field.name);
        }
    }
}

#[test]
fn the_json_schema_describes_every_field() {
    let schema: serde_json::Value = serde_json::from_str(&json_schema()).expect("JSON");
    let pool = &schema["$defs"]["pool"]["properties"];
    let properties = pool.as_object().expect("properties");
    for field in FIELDS {
        let description = properties[field.name]["description"].as_str().expect("described");
        assert!(description.contains(field.meaning), "{description}");
    }
    assert_eq!(properties.len(), FIELDS.len() + 3, "and preset, url, url_file");
    assert_eq!(properties["max_open"]["minimum"], 1);
    assert_eq!(properties["min_idle"]["minimum"], 0);
    assert_eq!(properties["lifetime_jitter"]["maximum"], 100);
}
