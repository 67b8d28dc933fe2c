//! Options from a URL: what is understood, and what is said of the rest.

use std::time::Duration;

use pool_core::{ConnectionManager, Drivers, ManagerOptions, NamedSources};
use pool_sqlite::{Access, Hygiene, JournalMode, Source, SqliteDriver, SqliteOptions, Synchronous};
use pool_testkit::Shown;

#[track_caller]
fn source(url: &str) -> Source {
    SqliteOptions::from_url(url).unwrap_or_else(|error| panic!("{url}: {error}")).source
}

fn file(path: &str) -> Source {
    Source::File(path.into())
}

#[track_caller]
fn problems(url: &str) -> Vec<String> {
    let error = SqliteOptions::from_url(url).expect_err("invalid");
    error.problems().iter().map(ToString::to_string).collect()
}

#[test]
fn a_url_names_a_file() {
    assert_eq!(source("sqlite:orders.db"), file("orders.db"));
    assert_eq!(source("sqlite:data/orders.db"), file("data/orders.db"));
    assert_eq!(source("sqlite:./orders.db"), file("./orders.db"));
    assert_eq!(source("sqlite:/var/orders.db"), file("/var/orders.db"));
    assert_eq!(source("sqlite:///var/orders.db"), file("/var/orders.db"));
    assert_eq!(source("SQLite:orders.db"), file("orders.db"));
}

#[test]
fn a_url_names_memory() {
    let shared = |name: &str| Source::SharedMemory(name.into());
    assert_eq!(source("sqlite::memory:"), Source::PrivateMemory);
    assert_eq!(source("sqlite::memory:?mode=memory"), Source::PrivateMemory);
    assert_eq!(source("sqlite:orders?mode=memory"), shared("orders"));
    assert_eq!(source("sqlite:///orders?mode=memory"), shared("orders"), "as SQLite has it");
    assert_eq!(source("sqlite:a%20b?mode=memory"), shared("a b"));
}

#[test]
fn paths_and_values_are_percent_decoded() {
    assert_eq!(source("sqlite:/a%20b%3Fc%23d%25e.db"), file("/a b?c#d%e.db"));
    assert_eq!(source("sqlite:/gr%C3%BCn+rot.db"), file("/grün+rot.db"));
    let options = SqliteOptions::from_url("sqlite:x.db?busy_timeout=1m%201s").expect("valid");
    assert_eq!(options.busy_timeout, Duration::from_secs(61));
}

#[test]
fn parameters_change_their_fields_and_nothing_else() {
    let url = "sqlite:x.db?mode=rw&journal_mode=TRUNCATE&synchronous=full&busy_timeout=250ms\
               &foreign_keys=off&cache_size=512&statement_cache=7&hygiene=reopen";
    let expected = SqliteOptions {
        source: file("x.db"),
        access: Access::ReadWrite,
        journal_mode: JournalMode::Truncate,
        synchronous: Synchronous::Full,
        busy_timeout: Duration::from_millis(250),
        foreign_keys: false,
        cache_size_kib: 512,
        statement_cache: 7,
        hygiene: Hygiene::Reopen,
    };
    assert_eq!(SqliteOptions::from_url(url), Ok(expected));
    assert_eq!(SqliteOptions::from_url("sqlite:x.db"), Ok(SqliteOptions::file("x.db")));
    let access = |mode: &str| {
        let options = SqliteOptions::from_url(&format!("sqlite:x.db?mode={mode}"));
        options.expect("valid").access
    };
    assert_eq!(access("ro"), Access::ReadOnly);
    assert_eq!(access("rwc"), Access::Create);
}

#[test]
fn every_problem_is_reported_at_once() {
    let url = "sqlite:?mode=read&journal_mod=wal&busy_timeout=5&foreign_keys=yes&cache_size=-2000\
               &hygiene=clean&synchronous=normal&synchronous=full&statement_cache=many";
    assert_eq!(
        problems(url),
        [
            "synchronous = \"full\": given twice; allowed: one value",
            "path = \"\": no database is named; allowed: sqlite:relative/path, \
             sqlite:/absolute/path, sqlite::memory: or sqlite:NAME?mode=memory",
            "mode = \"read\": not understood; allowed: ro, rw, rwc or memory",
            "parameter = \"journal_mod\": unknown; allowed: mode, journal_mode, synchronous, \
             busy_timeout, foreign_keys, cache_size, statement_cache, hygiene; did you mean \
             \"journal_mode\"?",
            "busy_timeout = \"5\": not understood; allowed: a duration such as 5s or 250ms, or 0",
            "foreign_keys = \"yes\": not understood; allowed: on or off",
            "cache_size = \"-2000\": not understood; allowed: a whole number of KiB such as 8192, at \
             most 2147483647",
            "hygiene = \"clean\": not understood; allowed: rollback or reopen",
            "statement_cache = \"many\": not understood; allowed: a whole number of statements \
             such as 64",
        ]
    );
}

#[test]
fn parameters_of_the_pool_are_unknown_here() {
    let problems = problems("sqlite:x.db?pool_max_open=5");
    assert!(problems[0].starts_with("parameter = \"pool_max_open\": unknown"), "{problems:?}");
}

#[test]
fn a_shared_cache_is_refused_with_what_to_do_instead() {
    assert_eq!(
        problems("sqlite::memory:?cache=shared"),
        ["cache = \"shared\": shared caches answer SQLITE_LOCKED, for which no connection waits; \
          allowed: sqlite:NAME?mode=memory instead"]
    );
}

#[test]
fn a_host_is_refused_with_the_url_that_was_meant() {
    let error = SqliteOptions::from_url("sqlite://orders.db").expect_err("a host");
    assert_eq!(error.problems()[0].nearest.as_deref(), Some("sqlite:orders.db"));
    let error = SqliteOptions::from_url("sqlite://:memory:").expect_err("a host");
    assert_eq!(error.problems()[0].nearest.as_deref(), Some("sqlite::memory:"));
}

#[test]
fn another_scheme_is_refused_with_the_nearest() {
    assert_eq!(
        problems("sqlite3:orders.db"),
        ["scheme = \"sqlite3\": unknown; allowed: sqlite; did you mean \"sqlite\"?"]
    );
    assert!(
        problems("orders.db")[0].starts_with("url = \"orders.db\": no scheme; allowed: sqlite:")
    );
    assert!(problems("")[0].starts_with("url = \"\": no scheme"));
}

#[tokio::test]
async fn a_password_is_not_repeated() {
    for url in [
        "postgres://user:hunter2@db/orders",
        "postgres:user:hunter2@db",
        "user:hunter2@db/orders.db",
        "user=me password=hunter2",
        "hunter2@db/orders.db",
        "//user:hunter2@db",
        "sqlite//user:hunter2@db/orders.db",
        "sqlite3://user:hunter2@db/orders.db",
        "sqlite://user:hunter2@db/orders.db",
        "sqlite://user:hunter2@db/orders.db#x",
        "sqlite://user:hunter2@db/orders%2.db",
        "sqlite://user:hunter2@db/orders%FF.db",
        "sqlite://user:hunter2@db/orders%00.db",
        "sqlite://user:hunter2@db:5432/orders.db?mode=never",
        "sqlite://user:hunter2@",
        "sqlite://user:hunter2@?mode=memory",
        "sqlite://hunter2@db/orders.db",
        "sqlite://:hunter2@db/orders.db",
        "sqlite://user:a@hunter2@db/orders.db",
        "sqlite://user:a/hunter2@db/orders.db",
        "sqlite://user:a?hunter2@db/orders.db",
        "sqlite://user:a?mode=hunter2@db/orders.db",
        "sqlite://user:a?x=1&x=hunter2@db/orders.db",
        "sqlite://user:a#hunter2@db/orders.db",
        "sqlite://user:hunter2%@db/orders.db",
        "sqlite://user:%FFhunter2@db/orders.db",
        "sqlite://user:hunter2%40db/orders.db",
        "sqlite://user:hunter2/orders.db",
        "sqlite://user:hunter2",
        "sqlite://user:a#hunter2",
        "sqlite:///user:hunter2@db/orders.db#x",
        "sqlite:user:hunter2@db/orders%.db",
        "sqlite:user:hunter2@db/orders.db#x",
        "sqlite:user:hunter2%?x@db/orders.db",
        "sqlite:///user:hunter2%?x@db/orders.db",
        "sqlite:///user:hunter2?%00&x@db/orders%00.db",
        "sqlite:orders.db?password=hunter2",
        "sqlite:orders.db?password=hunter2&password=hunter2",
        "sqlite:orders.db?password=hunter2%",
        "sqlite:orders.db?password=a&hunter2",
        "sqlite:orders.db?pass%word=hunter2",
    ] {
        let shown = Shown::start();
        shown.note_error(&SqliteOptions::from_url(url).expect_err(url));
        shown.note_error(&SqliteDriver::from_url(url).expect_err(url));
        let toml = format!("[pools.orders]\nurl = '{url}'\n");
        let manager = ConnectionManager::open(ManagerOptions {
            drivers: Drivers::default().register(SqliteDriver::SCHEMES, SqliteDriver::from_url),
            sources: NamedSources::default().toml("pools.toml", &toml),
            ..ManagerOptions::default()
        });
        shown.note_error(&manager.await.expect_err(url));
        shown.expect(&["pools.toml:2"]);
        shown.expect_no("hunter2");
    }
}

#[test]
fn messages_keep_to_their_line() {
    let url = "sqlite:a%0Ab%2.db?x%0Ay=1&x%0Ay=1&c\n=%&\n=1";
    for problem in problems(url) {
        assert!(!problem.contains(char::is_control), "{problem:?}");
    }
}

#[test]
fn broken_escapes_and_fragments_are_refused() {
    assert!(problems("sqlite:a%2.db")[0].contains("two hexadecimal digits"));
    assert!(problems("sqlite:a%zz.db")[0].contains("two hexadecimal digits"));
    assert!(problems("sqlite:a%FF.db")[0].contains("not UTF-8"));
    assert!(problems("sqlite:a.db#top")[0].contains("a fragment has no meaning here"));
    assert!(problems("sqlite:a.db?mode=%")[0].contains("two hexadecimal digits"));
}

#[test]
fn values_that_cannot_be_are_refused() {
    assert_eq!(
        problems("sqlite:x.db?cache_size=4294967295"),
        ["cache_size = \"4294967295\": not understood; allowed: a whole number of KiB such as \
          8192, at most 2147483647"]
    );
    let allowed = SqliteOptions::from_url("sqlite:x.db?cache_size=2147483647").expect("valid");
    assert_eq!(allowed.cache_size_kib, 2_147_483_647);
    for url in ["sqlite:a%00b?mode=memory", "sqlite:a%00b", "sqlite:///a%00b.db?mode=ro"] {
        assert!(problems(url)[0].contains("up to its first NUL"), "{url}");
    }
}

#[test]
fn shared_memory_needs_a_name() {
    assert_eq!(
        problems("sqlite:?mode=memory"),
        ["source = \"\": a database in shared memory is found by its name; allowed: any name, as \
          in sqlite:NAME?mode=memory"]
    );
}
