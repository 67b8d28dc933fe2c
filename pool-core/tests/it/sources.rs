//! Configuration from several sources: who wins, who is to blame, what is never shown.

use pool_core::{
    ConnectContext, Driver, FIELDS, Metadata, Origin, PoolConfig, Preset, Problem, Released,
    Sources,
};

const NONE: [(&str, &str); 0] = [];

fn problems(sources: &Sources) -> Vec<String> {
    let error = sources.load().resolve().expect_err("invalid");
    error.problems().iter().map(ToString::to_string).collect()
}

#[test]
fn each_source_wins_over_the_lower_ones_in_whatever_order_they_are_added() {
    let mut sources = Sources::default();
    let expect = |sources: &Sources, value: usize, origin: &str| {
        let resolved = sources.load().resolve().expect("valid");
        assert_eq!(resolved.config().max_open, value);
        assert_eq!(resolved.origin("max_open").to_string(), origin);
    };
    expect(&sources, PoolConfig::default().max_open, "default");
    sources = sources.preset(Preset::HighLoad);
    expect(&sources, 100, "preset high_load");
    sources = sources.code("--pool", "max_open", "1");
    expect(&sources, 1, "--pool");

    sources = Sources::default().environment([("POOL_MAX_OPEN", "2")]);
    expect(&sources, 2, "POOL_MAX_OPEN");
    sources = sources.url("pg:d?pool_max_open=3");
    expect(&sources, 2, "POOL_MAX_OPEN");
    sources = Sources::default().url("pg:d?pool_max_open=3").toml("p.toml", "[pool]\nmax_open=4");
    expect(&sources, 3, "pool_max_open in the URL");
    sources = Sources::default().toml("p.toml", "[pool]\nmax_open=4").preset(Preset::Testing);
    expect(&sources, 4, "p.toml:2");
}

#[test]
fn the_fallback_goes_before_a_preset_and_after_all_else() {
    let sources = Sources::default().fallback("scenario churn", "max_open", "5");
    for sources in [sources.clone(), sources.clone().preset(Preset::HighLoad)] {
        let resolved = sources.load().resolve().expect("valid");
        assert_eq!(resolved.config().max_open, 5);
        assert_eq!(resolved.origin("max_open").to_string(), "scenario churn");
    }
    let set = sources.clone().toml("p.toml", "[pool]\nmax_open=4");
    assert_eq!(set.load().resolve().expect("valid").config().max_open, 4);
    let resolved = sources.load().resolve_for(&Single).expect("the database has its way");
    assert_eq!(resolved.origin("max_open").to_string(), "demanded by single");

    let wrong = Sources::default().fallback("scenario churn", "max_opne", "5");
    let problems = problems(&wrong);
    assert!(problems[0].starts_with("scenario churn: setting = \"max_opne\""), "{problems:?}");
}

#[test]
fn the_highest_source_names_the_preset() {
    let sources = Sources::default()
        .preset(Preset::Development)
        .toml("p.toml", "[pool]\npreset = 'staging'\n")
        .environment([("POOL_PRESET", "high-load")]);
    let resolved = sources.load().resolve().expect("valid");
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
fn a_broken_file_yields_its_other_mistakes_too_and_names_no_key_that_is_no_setting() {
    let toml = "[pool]\nmax_idle = -1\nmax_opne = 5\nmin_idle = \n";
    let found = problems(&Sources::default().toml("pool.toml", toml));
    let expected = [
        "pool.toml:2: max_idle = \"-1\": not understood",
        "pool.toml:3: setting = \"(not shown)\": unknown, or what is left of a broken line",
        "pool.toml:4: TOML = \"\": ",
        "pool.toml:4: min_idle = \"\": not understood",
    ];
    for start in expected {
        assert!(found.iter().any(|it| it.starts_with(start)), "{start}\n{found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn a_file_with_nothing_but_named_pools_is_a_problem_where_one_pool_is_read() {
    let toml = "title = 'x'\n[pools.orders]\nmax_open = 3\n";
    let found = problems(&Sources::default().toml("pools.toml", toml));
    let why = "pools by name, where one without a name is read; allowed: a table [pool]";
    assert_eq!(found, [format!("pools.toml:2: pools = \"\": {why}")]);
    let both = format!("[pool]\nmax_open = 4\n{toml}");
    let resolved = Sources::default().toml("pools.toml", &both.replace("title = 'x'\n", ""));
    assert_eq!(resolved.load().resolve().expect("the first is read").config().max_open, 4);
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
fn a_variable_that_is_no_setting_is_a_problem_with_a_suggestion() {
    let sources = Sources::default().environment([("POOL_MAX_OPNE", "7"), ("PATH", "/bin")]);
    let unknown = problems(&sources);
    assert_eq!(unknown.len(), 1);
    let start = "POOL_MAX_OPNE: setting = \"max_opne\": unknown";
    assert!(unknown[0].starts_with(start), "{unknown:?}");
    assert!(unknown[0].ends_with("did you mean \"max_open\"?"), "{unknown:?}");
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
        let escaped = value.replace('%', "%25").replace(' ', "%20");
        let url = format!("pg:d?pool_{}={escaped}", field.name);
        let sources = [
            Sources::default().toml("p", &format!("[pool]\n{} = '{value}'", field.name)),
            Sources::default().url(&url),
            Sources::default().environment([(&upper, &value)]),
            Sources::default().code("code", field.name, &value),
        ];
        for source in sources {
            let resolved = source.load().resolve().expect("valid");
            assert_eq!(field.text(resolved.config()), value, "{source:?}");
            assert_ne!(*resolved.origin(field.name), Origin::Default, "{source:?}");
        }
    }
}

/// A file with this content, removed at the end.
struct Kept(std::path::PathBuf);

impl Kept {
    fn new(name: &str, content: &[u8]) -> Self {
        let name = format!("pool-core-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).expect("written");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("text")
    }

    fn sources(&self) -> Sources {
        Sources::default().environment([("POOL_URL_FILE", self.path())])
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_url_may_be_kept_in_a_file() {
    for content in [
        "pg://app:hunter2@db/shop?pool_max_open=6\n",
        "\u{feff}pg://app:hunter2@db/shop?pool_max_open=6\r\n",
        "pool_max_open=6&pg://app:hunter2@db/shop",
    ] {
        let file = Kept::new("url", content.as_bytes());
        let resolved = file.sources().load().resolve().expect("valid");
        if content.starts_with("pool") {
            assert_eq!(resolved.url().expect("given").expose(), content, "no query");
            continue;
        }
        assert_eq!(resolved.config().max_open, 6);
        assert_eq!(resolved.url().expect("given").expose(), "pg://app:hunter2@db/shop");
    }
    let plain = Kept::new("plain-url", b"pg://db/shop\n\n");
    let resolved = plain.sources().load().resolve().expect("valid");
    assert_eq!(resolved.url().expect("given").expose(), "pg://db/shop");
}

#[test]
fn the_file_of_a_url_is_read_when_the_sources_are_loaded_and_never_again() {
    let file = Kept::new("replaced", b"PG://db/shop?pool_max_waiters=6");
    let sources = file.sources();
    let loaded = sources.load();
    std::fs::write(file.path(), "my://other/shop?pool_max_waiters=7").expect("written");
    assert_eq!((loaded.names_url(), loaded.scheme().as_deref()), (true, Some("pg")));
    let made = loaded.resolve_with(|url| {
        assert_eq!(url, "PG://db/shop");
        Ok(Single)
    });
    let (Single, resolved) = made.expect("valid");
    assert_eq!(resolved.config().max_waiters, 6);
    assert_eq!(resolved.url().expect("given").expose(), "PG://db/shop");
    assert_eq!(sources.load().scheme().as_deref(), Some("my"));
}

#[test]
fn a_url_that_cannot_be_read_is_named_all_the_same() {
    let unreadable = Sources::default().environment([("POOL_URL_FILE", "/nowhere")]).load();
    assert_eq!((unreadable.names_url(), unreadable.scheme()), (true, None));
    let error = unreadable.resolve_with(|_| Ok(Single)).err().expect("no URL");
    assert_eq!(error.problems().len(), 1, "{error}");
    let none = Sources::default().environment([("POOL_MAX_OPEN", "1")]).load();
    assert_eq!((none.names_url(), none.scheme()), (false, None));
    let error = none.resolve_with(|_| Ok(Single)).err().expect("no URL").to_string();
    assert!(error.contains("url = \"\": no source names it"), "{error}");
}

#[test]
fn a_file_that_holds_no_url_is_a_problem_that_says_why() {
    let missing = Kept::new("missing", b"");
    std::fs::remove_file(missing.path()).expect("removed");
    let whys = [
        (Kept::new("empty", b" \n"), "it holds 0 lines"),
        (Kept::new("two", b"pg://app:hunter2@db\npg://db\n"), "it holds 2 lines"),
        (Kept::new("long", &vec![b'x'; (1 << 20) + 1]), "longer than 1048576 bytes"),
        (Kept::new("bytes", b"pg://app:hunter2\xff@db"), "it is not UTF-8"),
        (missing, "No such file or directory (os error 2)"),
    ];
    for (file, why) in whys {
        let found = problems(&file.sources());
        let allowed = "the path of a file that holds the URL in one line";
        let path = file.path();
        assert_eq!(
            found,
            [format!("POOL_URL_FILE: url_file = {path:?}: {why}; allowed: {allowed}")]
        );
    }
}

#[test]
fn one_source_cannot_give_both_a_url_and_the_file_of_one() {
    let both = [
        Sources::default().toml("p.toml", "[pool]\nurl = 'pg:d'\nurl_file = '/nowhere'\n"),
        Sources::default().toml("p.toml", "[pool]\nurl_file = '/nowhere'\nurl = 'pg:d'\n"),
        Sources::default().environment([("POOL_URL", "pg:d"), ("POOL_URL_FILE", "/nowhere")]),
        Sources::default().environment([("POOL_URL_FILE", "/nowhere"), ("POOL_URL", "pg:d")]),
        Sources::default().code("a", "url_file", "/nowhere").url("pg:d"),
    ];
    for sources in both {
        let found = problems(&sources);
        let why = "url_file = \"\": beside a url, of which it would be another";
        assert!(found.iter().any(|problem| problem.contains(why)), "{found:?}");
    }
    let ranked = Sources::default().toml("p.toml", "[pool]\nurl_file = '/nowhere'\n").url("pg:d");
    assert_eq!(
        ranked.load().resolve().expect("a higher one").url().expect("given").expose(),
        "pg:d"
    );
}

#[test]
fn the_url_of_the_highest_source_counts() {
    let mut sources =
        Sources::default().toml("p.toml", "[pool]\nurl = 'pg:file?pool_max_open=2'\n");
    let expect = |sources: &Sources, url: &str, origin: &str, max_open: usize| {
        let resolved = sources.load().resolve().expect("valid");
        assert_eq!(resolved.url().expect("given").expose(), url);
        assert_eq!(resolved.url_origin().expect("given").to_string(), origin);
        assert_eq!(resolved.config().max_open, max_open, "its own parameters");
    };
    expect(&sources, "pg:file", "p.toml:2", 2);
    sources = sources.environment([("POOL_URL", "pg:environment?pool_max_open=3")]);
    expect(&sources, "pg:environment", "POOL_URL", 3);
    sources = sources.code("--url", "url", "pg:code?pool_max_open=4");
    expect(&sources, "pg:code", "--url", 4);
}

#[test]
fn a_url_cannot_name_another() {
    let url = "pg:d?pool_url=pg:x&pool_url_file=/x&pool_max_opn=3&pool_max_opn=4&pool_max_idle=x";
    let found = problems(&Sources::default().url(url));
    assert_eq!(found.len(), 5, "{found:#?}");
    for (problem, start) in found.iter().zip([
        "pool_url in the URL: url = \"\": a URL cannot name another",
        "pool_url_file in the URL: url_file = \"\": a URL cannot name another",
        "pool_max_opn in the URL: max_opn = \"\": given twice",
        "pool_max_opn in the URL: setting = \"max_opn\": unknown",
        "pool_max_idle in the URL: max_idle = \"x\": not understood",
    ]) {
        assert!(problem.starts_with(start), "{problem}");
    }
}

#[test]
fn of_what_may_be_a_password_with_a_question_mark_nothing_is_shown() {
    let url = "pg://u:pa?pool_hunter2&pool_max_open=hunter2&pool_max_idle=2@h/db";
    let found = problems(&Sources::default().url(url));
    assert_eq!(found.len(), 3, "{found:#?}");
    for (problem, start) in found.iter().zip([
        "a parameter pool_... in the URL: field = \"(not shown)\": unknown",
        "a parameter pool_... in the URL: max_open = \"(not shown)\": not understood",
        "a parameter pool_... in the URL: max_idle = \"(not shown)\": not understood",
    ]) {
        assert!(problem.starts_with(start), "{problem}");
    }
    let other = Sources::default().url("pg://u:p@h/db?user=a@b&pool_max_open=3");
    assert_eq!(other.load().resolve().expect("valid").config().max_open, 3);
}

#[test]
fn what_stands_outside_of_its_table_is_a_problem() {
    let toml = "max_open = 3\n[Pool]\nmax_idle = 3\n[tools]\nx = 1\n[pool.orders]\nmax_open = 1\n";
    let mut found = problems(&Sources::default().toml("p.toml", toml));
    found.sort();
    assert_eq!(found.len(), 3, "{found:#?}");
    for (problem, start) in found.iter().zip([
        "p.toml:1: max_open = \"\": a setting outside of a table",
        "p.toml:2: table = \"Pool\": unknown; allowed: pool; did you mean \"pool\"?",
        "p.toml:6: orders = \"\": a table, where settings are; allowed: pools by name as tables [pools",
    ]) {
        assert!(problem.starts_with(start), "{problem}");
    }
}

#[test]
fn a_password_is_in_no_message_and_no_explanation() {
    let url = "pg://app:hunter2@db/shop?password=hunter2&pool_max_opne=3&pool_max_idle=x";
    let broken_toml = format!("[pool]\nurl = '{url}\nulr = '{url}'\n");
    let wrong = [
        Sources::default().url(url),
        Sources::default().toml("p.toml", &broken_toml),
        Sources::default().toml("p.toml", &format!("[pool]\nulr = '{url}'\nurl = '{url}'\n")),
        Sources::default().toml("p.toml", &format!("[pool]\n'{url}' = true\n'{url}x' = 1\n")),
        Sources::default().toml("p.toml", &format!("[pool]\nmax_open = '{url}'\n")),
        Sources::default()
            .toml("p.toml", "[pool]\nurl = 'pg://app:a\nhunter2.b%20@db?x=1&y=%31'\n"),
        Sources::default().toml_file(url),
        Sources::default().environment([("POOL_ULR", url), ("POOL_URL", url)]),
        Sources::default().environment([("POOL_URL_FILE", url)]),
        Sources::default().code("--preset", "preset", url),
        Sources::default().code("--pool", url, "x"),
        Sources::default().code("--pool", "password=hunter2", "x"),
        Sources::default().url("pg://app:1?pool_hunter2@db"),
        Sources::default().url("pg://db/shop?password=1&pool_hunter2"),
    ];
    for sources in wrong {
        let error = sources.load().resolve().expect_err("invalid");
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(!format!("{error:?} {sources:?}").contains("hunter2"), "{error:?} {sources:?}");
    }
    for (url, expected) in [
        ("pg://app:hunter2@db/shop", "pg:..."),
        ("host=db password=hunter2 options=a:b", "(not shown)"),
        ("hunter2@db:5432/x", "(not shown)"),
        ("hunter2:x@db", "(not shown)"),
    ] {
        let resolved = Sources::default().url(url).load().resolve().expect("valid");
        let shown = format!("{} {resolved:?}", resolved.explain());
        assert!(!shown.contains("hunter2") && shown.contains(expected), "{shown}");
    }
}

#[test]
fn the_explanation_names_every_field_and_shows_what_is_in_effect() {
    let sources = Sources::default()
        .preset(Preset::HighLoad)
        .environment(NONE)
        .code("--pool", "max_open", "7");
    let explained = sources.load().resolve().expect("valid").explain().to_string();
    assert!(FIELDS.iter().all(|field| explained.contains(field.name)), "{explained}");
    let max_idle = explained.lines().find(|line| line.starts_with("max_idle ")).expect("a line");
    assert!(
        max_idle.contains("7 ") && max_idle.contains("preset high_load (20), lowered to max_open")
    );
}

/// What the reader takes as a whole number, the schema does, too, and nothing else.
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
    let resolved = sources.load().resolve_for(&Single).expect("valid");
    let config = resolved.config();
    assert_eq!((config.max_open, config.max_idle, config.max_idle_time), (1, 2, None));
    assert_eq!(resolved.origin("max_open").to_string(), "demanded by single");
    assert_eq!(resolved.origin("max_lifetime").to_string(), "preset production");

    let set = sources.code("--pool", "max_open", "3").toml("p.toml", "[pool]\nmin_idle = 4\n");
    let error = set.load().resolve_for(&Single).expect_err("set on purpose");
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
    assert!(Sources::default().environment(foreign).load().resolve().is_ok());

    let ours = [
        (OsString::from("POOL_URL"), bytes(b"pg://app:hunter2\xff@db")),
        (bytes(b"POOL_\xff"), OsString::from("hunter2")),
    ];
    assert_eq!(
        problems(&Sources::default().environment(ours)),
        [
            "POOL_URL: value = \"\": not UTF-8; allowed: text in UTF-8",
            "variable = \"POOL_\u{fffd}\": its name is not UTF-8; allowed: names in UTF-8",
        ]
    );
}
