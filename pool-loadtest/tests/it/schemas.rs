//! The schemas of reports, as they are shipped, and reports held against them.
//!
//! After a change of a report, `SHIPPED=write cargo test -p pool-loadtest schemas` writes them anew.

use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{json, run};

fn shipped(report: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schema").join(format!("{report}.schema.json"))
}

pub(crate) fn schema(report: &str) -> Value {
    let (code, stdout, stderr) = run(&["schema", report]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{report}");
    json(&stdout)
}

/// What of `value` is not as the `schema` says, each with its path.
fn problems(value: &Value, schema: &Value, whole: &Value, path: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = whole.pointer(reference.trim_start_matches('#'));
        return problems(value, target.expect("a definition"), whole, path);
    }
    let mut found = Vec::new();
    for choice in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let mut tried = choices.iter().map(|schema| problems(value, schema, whole, path));
            if !tried.any(|problems| problems.is_empty()) {
                found.push(format!("{path}: {value} is none of {choice}"));
            }
        }
    }
    if let Some(expected) = schema.get("const").filter(|expected| *expected != value) {
        found.push(format!("{path}: {value} is not {expected}"));
    }
    if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
        found.push(format!("{path}: {value} is not allowed"));
    }
    let kinds = match &schema["type"] {
        Value::String(kind) => vec![&**kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is_of(value, kind)) {
        found.push(format!("{path}: {value} is no {}", kinds.join(" or ")));
    }
    let least = schema["minimum"].as_f64();
    if value.as_f64().zip(least).is_some_and(|(value, least)| value < least) {
        found.push(format!("{path}: {value} is too small"));
    }
    if let Some(object) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().expect("a name");
            if !object.contains_key(name) {
                found.push(format!("{path}.{name}: missing"));
            }
        }
        for (name, value) in object {
            let path = format!("{path}.{name}");
            match (&schema["properties"][name], &schema["additionalProperties"]) {
                (Value::Null, Value::Bool(false)) => found.push(format!("{path}: unknown")),
                (Value::Null, other @ Value::Object(_)) => {
                    found.extend(problems(value, other, whole, &path));
                }
                (Value::Null, _) => {}
                (schema, _) => found.extend(problems(value, schema, whole, &path)),
            }
        }
    }
    for (number, element) in value.as_array().into_iter().flatten().enumerate() {
        let path = format!("{path}[{number}]");
        found.extend(problems(element, &schema["items"], whole, &path));
    }
    found
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no such type: {other}"),
    }
}

#[track_caller]
pub(crate) fn expect_valid(value: &Value, schema: &Value) {
    assert_eq!(problems(value, schema, schema, "report"), [""; 0]);
}

#[cfg(feature = "monitor")]
#[test]
fn the_schemas_that_are_shipped_are_those_of_the_program() {
    for report in ["run", "sweep", "tune", "compare", "budget", "fleet"] {
        let (code, printed, stderr) = run(&["schema", report]);
        assert_eq!(code, 0, "{stderr}");
        let path = shipped(report);
        if env::var_os("SHIPPED").is_some_and(|wanted| wanted == "write") {
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(&path, &printed).expect("written");
        }
        assert!(
            fs::read_to_string(&path).unwrap_or_default() == printed,
            "schema/{report}.schema.json is not what `schema {report}` prints; to write it: \
             SHIPPED=write cargo test -p pool-loadtest schemas"
        );
    }
}

#[test]
fn a_report_of_a_run_is_as_its_schema_says() {
    let schema = schema("run");
    let arguments = ["run", "--duration", "1200ms", "--pool", "max_open=4", "--output", "json"];
    let change = ["--at", "500ms", "max_open=unlimited"];
    let (code, stdout, stderr) = run(&[&arguments[..], &change].concat());
    assert_eq!(code, 0, "{stderr}");
    let report = json(&stdout);
    assert_eq!(report["changes"].as_array().map(Vec::len), Some(1), "{report}");
    expect_valid(&report, &schema);
}

#[test]
fn reports_of_sweeps_searches_and_comparisons_are_as_their_schemas_say() {
    let folder = TempDir::new().expect("a directory");
    let saved = folder.path().join("run.json").display().to_string();
    let (code, _, stderr) = run(&["run", "--duration", "300ms", "--save", &saved]);
    assert_eq!(code, 0, "{stderr}");
    let commands: [(&str, &[&str]); 4] = [
        ("sweep", &["max_open=1,2,4", "--repeats", "2", "--duration", "100ms"]),
        ("sweep", &["max_open=1,2", "max_idle=0,1", "--repeats", "1", "--duration", "100ms"]),
        ("tune", &["--most", "1", "--duration", "100ms"]),
        ("compare", &[&saved, &saved]),
    ];
    for (report, arguments) in commands {
        let (_, stdout, stderr) = run(&[&[report, "--output", "json"][..], arguments].concat());
        assert!(stdout.starts_with('{'), "{report}: {stderr}");
        let printed = json(&stdout);
        assert_eq!(printed["kind"], report);
        expect_valid(&printed, &schema(report));
    }
}

#[test]
fn the_schema_of_a_run_refuses_what_is_no_report() {
    let schema = schema("run");
    let (_, stdout, stderr) = run(&["run", "--duration", "200ms", "--output", "json"]);
    assert!(stdout.starts_with('{'), "{stderr}");
    let report = json(&stdout);
    let without = |field: &str| {
        let mut report = report.clone();
        report.as_object_mut().expect("an object").remove(field);
        report
    };
    let with = |path: &str, value: Value| {
        let mut report = report.clone();
        *report.pointer_mut(path).expect(path) = value;
        report
    };
    for (wrong, problem) in [
        (without("throughput"), "report.throughput: missing"),
        (without("health"), "report.health: missing"),
        (with("/kind", "walk".into()), "report.kind: \"walk\" is none of oneOf"),
        (with("/wait/count", "many".into()), "report.wait.count: \"many\" is no integer"),
        (with("/operations", (-1).into()), "report.operations: -1 is too small"),
        (with("/config/max_open", true.into()), "report.config.max_open: true is no integer or"),
        (with("/health/0/reasons", 1.into()), "report.health[0].reasons: 1 is no array"),
    ] {
        let problems = problems(&wrong, &schema, &schema, "report");
        assert!(problems.iter().any(|found| found.starts_with(problem)), "{problem}: {problems:?}");
    }
}
