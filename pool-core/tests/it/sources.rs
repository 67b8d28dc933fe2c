//! Configuration from several sources: who wins, who is to blame, what is never shown.

use pool_core::{
    ConnectContext, Driver, FIELDS, Metadata, Origin, PoolConfig, Preset, Problem, Released,
    Sources, json_schema,
};

const NONE: [(&str, &str); 0] = [];

fn problems(sources: &Sources) -> Vec<String> {
    let error = sources.resolve().expect_err("invalid");
    error.problems().iter().map(ToString::to_string).collect()
}

#[test]
fn each_source_wins_over_the_lower_ones_in_whatever_order_they_are_added() {
    let mut sources = Sources::default();
    let expect = |sources: &Sources, value: usize, origin: &str| {
        let resolved = sources.resolve().expect("valid");
        assert_eq!(resolved.config().max_open, value);
        assert_eq!(resolved.origin("max_open").to_string(), origin);
    };
    expect(&sources, PoolConfig::default().max_open, "default");
    sources = sources.preset(Preset::HighLoad);
    expect(&sources, 100, "preset high_load");
    sources = sources.code("--pool", "max_open", "1");
    expect(&sources, 1, "--pool");

    sources = Sources::default().environment(None, &[], [("POOL_MAX_OPEN", "2")]);
    expect(&sources, 2, "POOL_MAX_OPEN");
    sources = sources.url("pg:d?pool_max_open=3");
    expect(&sources, 2, "POOL_MAX_OPEN");
    sources = Sources::default().url("pg:d?pool_max_open=3").toml("p.toml", "[pool]\nmax_open=4");
    expect(&sources, 3, "pool_max_open in the URL");
    sources = Sources::default().toml("p.toml", "[pool]\nmax_open=4").preset(Preset::Testing);
    expect(&sources, 4, "p.toml:2");
}

#[test]
fn the_highest_source_names_the_preset() {
    let sources = Sources::default()
        .preset(Preset::Development)
        .toml("p.toml", "[pool]\npreset = 'staging'\n")
        .environment(None, &[], [("POOL_PRESET", "high-load")]);
    let resolved = sources.resolve().expect("valid");
    assert_eq!(resolved.config().max_open, 100);
    assert_eq!(*resolved.origin("max_idle"), Origin::Preset(Preset::HighLoad));
    assert_eq!(*resolved.origin("max_opening"), Origin::Default);
}

#[test]
fn a_toml_with_seven_mistakes_yields_seven_messages_each_with_its_line() {
    let toml = "\
[pool]
max_opne = 5
max_idle = -1
acquire_timeout = 30
max_lifetime = \"soon\"
keepalive = true
preset = \"prodction\"
min_idle = 90
";
    let problems = problems(&Sources::default().toml("pool.toml", toml));
    let starts = [
        "pool.toml:2: setting = \"max_opne\": unknown",
        "pool.toml:3: max_idle = \"-1\": not understood",
        "pool.toml:4: acquire_timeout = \"30\": not understood; allowed: a duration above zero",
        "pool.toml:5: max_lifetime = \"soon\": not understood",
        "pool.toml:6: keepalive = \"boolean\": neither text nor a whole number",
        "pool.toml:7: preset = \"prodction\": unknown",
        "pool.toml:8: min_idle = \"90\": more than the pool keeps idle",
    ];
    assert_eq!(problems.len(), 7, "{problems:#?}");
    for start in starts {
        assert!(problems.iter().any(|it| it.starts_with(start)), "{start}\n{problems:#?}");
    }
    assert!(problems.iter().any(|problem| problem.ends_with("did you mean \"max_open\"?")));
}

#[test]
fn a_file_with_nothing_but_named_pools_is_a_problem_where_one_pool_is_read() {
    let toml = "title = 'x'\n[pools.orders]\nmax_open = 3\n";
    let found = problems(&Sources::default().toml("pools.toml", toml));
    let why = "pools by name, where one without a name is read; allowed: a table [pool]";
    assert_eq!(found, [format!("pools.toml:2: pools = \"\": {why}")]);
    let both = format!("[pool]\nmax_open = 4\n{toml}");
    let resolved = Sources::default().toml("pools.toml", &both.replace("title = 'x'\n", ""));
    assert_eq!(resolved.resolve().expect("the first is read").config().max_open, 4);
}

#[test]
fn a_wrong_value_is_a_problem_even_if_a_higher_source_overrides_it() {
    let sources = Sources::default()
        .toml("p.toml", "[pool]\nmax_open = 'all'\nmax_idle = ]\n")
        .url("pg:d?pool_max_open=many&pool_max_open=7")
        .code("--pool", "max_open", "7");
    let problems = problems(&sources);
    assert!(
        problems.iter().any(|it| it.starts_with("p.toml:2: max_open = \"all\"")),
        "{problems:#?}"
    );
    assert!(problems.iter().any(|it| it.starts_with("p.toml:3: TOML")), "{problems:#?}");
    assert!(problems.iter().any(|it| it.contains("max_open = \"many\"")), "{problems:#?}");
    assert!(
        problems
            .iter()
            .any(|it| it.starts_with("pool_max_open in the URL: max_open = \"7\": given twice"))
    );
}

#[test]
fn a_named_pool_has_variables_of_its_own_and_leaves_those_of_others_alone() {
    let variables = [
        ("POOL_ORDERS_MAX_OPEN", "7"),
        ("POOL_MAX_OPEN", "5"),
        ("POOL_MAX_IDLE", "3"),
        ("POOL_USERS_MAX_OPEN", "9"),
        ("PATH", "/bin"),
    ];
    let others = ["users"];
    let resolved = Sources::default().environment(Some("orders"), &others, variables);
    let resolved = resolved.resolve().expect("valid");
    assert_eq!((resolved.config().max_open, resolved.config().max_idle), (7, 3));
    assert_eq!(resolved.origin("max_open").to_string(), "POOL_ORDERS_MAX_OPEN");

    let unknown = problems(&Sources::default().environment(None, &[], [("POOL_MAX_OPNE", "7")]));
    assert_eq!(unknown.len(), 1);
    assert!(
        unknown[0].starts_with("POOL_MAX_OPNE: setting = \"max_opne\": unknown"),
        "{unknown:?}"
    );
}

#[test]
fn every_field_can_be_set_by_every_source() {
    let given = PoolConfig {
        max_open: 9,
        max_idle: 7,
        min_idle: 1,
        lifetime_jitter: 3,
        max_waiters: 11,
        max_opening: 2,
        ..PoolConfig::default()
    };
    for field in FIELDS {
        let value = field.text(&given);
        let upper = format!("POOL_{}", field.name.to_uppercase());
        let url = format!("pg:d?pool_{}={}", field.name, value.replace(' ', "%20"));
        let sources = [
            Sources::default().toml("p", &format!("[pool]\n{} = '{value}'", field.name)),
            Sources::default().url(&url),
            Sources::default().environment(None, &[], [(&upper, &value)]),
            Sources::default().code("code", field.name, &value),
        ];
        for source in sources {
            let resolved = source.resolve().expect("valid");
            assert_eq!(field.text(resolved.config()), value, "{source:?}");
            assert_ne!(*resolved.origin(field.name), Origin::Default, "{source:?}");
        }
    }
}

#[test]
fn a_url_may_be_kept_in_a_file() {
    let file = std::env::temp_dir().join(format!("pool-core-url-{}", std::process::id()));
    std::fs::write(&file, "pg://app:hunter2@db/shop?pool_max_open=6\n").expect("written");
    let path = file.to_str().expect("text");
    let resolved = Sources::default().environment(None, &[], [("POOL_URL_FILE", path)]).resolve();
    std::fs::remove_file(&file).expect("removed");
    let resolved = resolved.expect("valid");
    assert_eq!(resolved.config().max_open, 6);
    assert_eq!(resolved.url().expect("given").expose(), "pg://app:hunter2@db/shop");

    let missing = problems(&Sources::default().environment(None, &[], [("POOL_URL_FILE", path)]));
    assert!(missing[0].starts_with("POOL_URL_FILE: url_file ="), "{missing:?}");
}

#[test]
fn a_password_is_in_no_message_and_no_explanation() {
    let url = "pg://app:hunter2@db/shop?password=hunter2&pool_max_opne=3&pool_max_idle=x";
    let broken_toml = format!("[pool]\nurl = '{url}\nulr = '{url}'\n");
    let wrong = [
        Sources::default().url(url),
        Sources::default().toml("p.toml", &broken_toml),
        Sources::default().toml("p.toml", &format!("[pool]\nulr = '{url}'\nurl = '{url}'\n")),
        Sources::default().environment(None, &[], [("POOL_ULR", url), ("POOL_URL", url)]),
    ];
    for sources in wrong {
        let error = sources.resolve().expect_err("invalid");
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(!format!("{error:?} {sources:?}").contains("hunter2"), "{error:?} {sources:?}");
    }
    let resolved = Sources::default().url("pg://app:hunter2@db/shop").resolve().expect("valid");
    let shown = format!("{} {resolved:?}", resolved.explain());
    assert!(!shown.contains("hunter2") && shown.contains("pg:..."), "{shown}");
}

#[test]
fn the_explanation_names_every_field_and_shows_what_is_in_effect() {
    let sources = Sources::default()
        .preset(Preset::HighLoad)
        .environment(None, &[], NONE)
        .code("--pool", "max_open", "7");
    let explained = sources.resolve().expect("valid").explain().to_string();
    assert!(FIELDS.iter().all(|field| explained.contains(field.name)), "{explained}");
    let max_idle = explained.lines().find(|line| line.starts_with("max_idle ")).expect("a line");
    assert!(
        max_idle.contains("7 ") && max_idle.contains("preset high_load (20), lowered to max_open")
    );
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
}

#[test]
fn a_variable_belongs_to_the_pool_with_the_longest_name_that_it_begins_with() {
    let variables = [("POOL_ORDERS_EU_MAX_OPEN", "7"), ("POOL_ORDERS_MAX_OPEN", "5")];
    let of = |own: &str, other: &str| {
        let resolved = Sources::default().environment(Some(own), &[other], variables).resolve();
        resolved.expect("valid").config().max_open
    };
    assert_eq!((of("orders", "orders-eu"), of("orders-eu", "orders")), (5, 7));
}

/// A database that takes one writer.
struct Single;

#[pool_core::async_trait]
impl Driver for Single {
    type Connection = ();
    type Error = std::fmt::Error;

    async fn connect(&self, _: ConnectContext) -> Result<(), std::fmt::Error> {
        Ok(())
    }
    async fn check(&self, (): ()) -> Result<(), std::fmt::Error> {
        Ok(())
    }
    async fn reset(&self, (): ()) -> Result<(), std::fmt::Error> {
        Ok(())
    }
    async fn close(&self, (): ()) -> Result<(), std::fmt::Error> {
        Ok(())
    }
    fn released(&self, (): &mut ()) -> Released {
        Released::Clean
    }
    fn metadata(&self) -> Metadata {
        Metadata::new("single")
    }
    fn pool_defaults(&self, base: PoolConfig) -> PoolConfig {
        PoolConfig { max_open: 1, max_idle_time: None, ..base }
    }
    fn objections(&self, config: &PoolConfig) -> Vec<Problem> {
        let mut problems = Vec::new();
        if config.max_open > 1 {
            let value = config.max_open.to_string();
            problems.push(Problem::invalid("max_open", value, "one writer", "1"));
        }
        problems
    }
}

#[test]
fn what_a_database_demands_replaces_defaults_and_presets_but_nothing_that_was_set() {
    let sources = Sources::default().preset(Preset::Production).code("--pool", "max_idle", "2");
    let resolved = sources.resolve_for(&Single).expect("valid");
    let config = resolved.config();
    assert_eq!((config.max_open, config.max_idle, config.max_idle_time), (1, 2, None));
    assert_eq!(resolved.origin("max_open").to_string(), "demanded by single");
    assert_eq!(resolved.origin("max_lifetime").to_string(), "preset production");

    let set = sources.code("--pool", "max_open", "3").toml("p.toml", "[pool]\nmin_idle = 4\n");
    let error = set.resolve_for(&Single).expect_err("set on purpose");
    let problems: Vec<_> = error.problems().iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("p.toml:2: min_idle = \"4\": more than"), "{problems:?}");
    assert_eq!(problems[1], "--pool: max_open = \"3\": one writer; allowed: 1");
}

#[cfg(unix)]
#[test]
fn variables_that_are_no_text_are_problems_only_if_they_are_ours() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt as _;

    let bytes = |text: &[u8]| OsStr::from_bytes(text).to_owned();
    let foreign = [(bytes(b"LC_\xff"), OsString::from("x")), ("OLD".into(), bytes(b"hunter2\xff"))];
    assert!(Sources::default().environment(None, &[], foreign).resolve().is_ok());

    let ours = [
        (OsString::from("POOL_URL"), bytes(b"pg://app:hunter2\xff@db")),
        (bytes(b"POOL_\xff"), OsString::from("hunter2")),
    ];
    assert_eq!(
        problems(&Sources::default().environment(None, &[], ours)),
        [
            "POOL_URL: value = \"\": not UTF-8; allowed: text in UTF-8",
            "variable = \"POOL_\u{fffd}\": its name is not UTF-8; allowed: names in UTF-8",
        ]
    );
}
