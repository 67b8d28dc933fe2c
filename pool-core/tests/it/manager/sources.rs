//! Who gets which settings, and what is said of mistakes.

use pool_core::{ConnectionManager, NamedSources, Preset};

use super::{FILE, Rig, changed, config};
use crate::rig::SEC;

#[test]
fn every_pool_has_its_settings_from_what_names_it_over_what_goes_for_all() {
    let rig = Rig::new();
    let variables = [
        ("POOL_ORDERS_MAX_WAITERS", "11"),
        ("POOL_AUDIT_LOG_MAX_WAITERS", "13"),
        ("POOL_MAX_WAITERS", "12"),
        ("HOME", "/root"),
    ];
    let manager = rig.from(
        NamedSources::default()
            .preset(Preset::Staging)
            .toml("pools.toml", FILE)
            .environment(variables)
            .code("--pool", Some("users"), "max_opening", "2")
            .code("--pool", None, "min_idle", "1"),
    );
    let got = |pool| {
        let config = config(&manager, pool);
        (config.max_open, config.max_idle, config.max_waiters, config.max_opening, config.min_idle)
    };
    assert_eq!(got("orders"), (10, 3, 11, 8, 1));
    assert_eq!(got("users"), (10, 3, 12, 2, 1));
    assert_eq!(got("audit-log"), (4, 3, 13, 8, 1));
    let resolved = manager.resolved("users").expect("there");
    let origin = |field| resolved.origin(field).to_string();
    assert_eq!(origin("max_idle"), "pools.toml:2");
    assert_eq!(origin("max_open"), "preset testing");
    assert_eq!(origin("max_waiters"), "POOL_MAX_WAITERS");
    assert_eq!(origin("max_opening"), "--pool");
}

#[test]
fn what_names_a_pool_wins_over_what_goes_for_all_in_every_source() {
    let rig = Rig::new();
    let max_open = |sources: NamedSources| {
        let manager = rig.from(sources);
        ["a", "b"].map(|pool| config(&manager, pool).max_open)
    };
    let file = "[pools.a]\nurl = 'fake:a'\nmax_open = 2\n[pools.b]\nurl = 'fake:b'\n\
                [pool]\nmax_open = 3\n";
    let mut sources = NamedSources::default().preset(Preset::HighLoad).toml("p.toml", file);
    assert_eq!(max_open(sources.clone()), [2, 3]);
    for variables in [
        [("POOL_MAX_OPEN", "5"), ("POOL_A_MAX_OPEN", "4")],
        [("POOL_A_MAX_OPEN", "4"), ("POOL_MAX_OPEN", "5")],
    ] {
        sources = sources.environment(variables);
        assert_eq!(max_open(sources.clone()), [4, 5]);
    }
    let its = |sources: NamedSources| sources.code("code", Some("a"), "max_open", "6");
    let all = |sources: NamedSources| sources.code("code", None, "max_open", "7");
    assert_eq!(max_open(its(all(sources.clone()))), [6, 7]);
    assert_eq!(max_open(all(its(sources))), [6, 7]);
    let bare = NamedSources::default()
        .preset(Preset::HighLoad)
        .toml("p.toml", "[pools.a]\nurl = 'FAKE:a'");
    let manager = rig.from(bare);
    assert_eq!(config(&manager, "a").max_open, 100);
}

#[test]
fn a_variable_belongs_to_the_pool_with_the_longest_name_that_it_begins_with() {
    let rig = Rig::new();
    let file = "[pools.orders]\nurl = 'fake:a'\n[pools.orders-eu]\nurl = 'fake:b'\n";
    let variables = [("POOL_ORDERS_EU_MAX_OPEN", "7"), ("POOL_ORDERS_MAX_OPEN", "5")];
    let manager = rig.from(NamedSources::default().toml("p.toml", file).environment(variables));
    let max_open = ["orders", "orders-eu"].map(|pool| config(&manager, pool).max_open);
    assert_eq!(max_open, [5, 7]);
}

#[test]
fn a_url_that_is_no_pools_own_is_refused_wherever_it_stands() {
    let rig = Rig::new();
    let named = NamedSources::default().toml("p.toml", FILE);
    let general = changed("max_idle = 3", "url = 'fake:all'");
    let wrong = [
        NamedSources::default().toml("p.toml", &general),
        NamedSources::default()
            .toml("p.toml", &general.replace("url = 'fake:all'", "url_file = 'x'")),
        named.clone().environment([("POOL_URL", "fake:all")]),
        named.clone().environment([("POOL_URL_FILE", "x")]),
        named.clone().code("main", None, "url", "fake:all"),
        named.code("main", None, "url_file", "x"),
    ];
    for sources in wrong {
        let problems = rig.problems(sources);
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert!(problems[0].contains("it would be the database of every pool"), "{problems:#?}");
    }
}

#[test]
fn every_problem_of_every_pool_is_said_once_with_the_pool_and_the_line() {
    let rig = Rig::new();
    let file = "\
[pool]
max_idel = 3
[pools.orders]
url = 'fake://db/orders'
max_open = 'many'
[pools.users]
url = 'fkae://db/users'
min_idle = 2000
[pools.audit]
[pools.Log]
url = 'fake://db/log'
[pools.max]
url = 'fake://db/max'
[pools]
chat = 3
";
    let sources = NamedSources::default()
        .toml("pools.toml", file)
        .environment([("POOL_URL", "fake://app:hunter2@db/x"), ("POOL_ORDRES_MAX_OPEN", "7")])
        .code("--pool", Some("order"), "max_open", "7");
    let mut problems = rig.problems(sources);
    problems.sort();
    assert!(problems[1].ends_with("did you mean \"POOL_ORDERS_MAX_OPEN\"?"), "{problems:#?}");
    let starts = [
        "--pool: pool = \"order\": unknown; allowed: orders, users, audit; did you mean \"orders\"?",
        "POOL_ORDRES_MAX_OPEN: variable = \"POOL_ORDRES_MAX_OPEN\": unknown; allowed: POOL_<FIELD> or",
        "POOL_URL: url = \"\": it would be the database of every pool",
        "pools.toml:10: pool = \"Log\": not a name of a pool",
        "pools.toml:12: pool = \"max\": its variable POOL_MAX_OPEN would be one of all pools, too",
        "pools.toml:15: pools.chat = \"integer\": not a table; allowed: a table, [pools.NAME]",
        "pools.toml:2: setting = \"max_idel\": unknown",
        "pools.toml:5: orders.max_open = \"many\": not understood",
        "pools.toml:7: users.url scheme = \"fkae\": unknown; allowed: fake, fakes, other; did you mean",
        "pools.toml:8: users.min_idle = \"2000\": more than the pool keeps idle",
        "pools.toml:9: audit.url = \"\": a pool without a database; allowed: fake:..., fakes:...",
    ];
    assert_eq!(problems.len(), starts.len(), "{problems:#?}");
    for (problem, start) in problems.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem}\n{start}");
    }
}

#[test]
fn a_file_without_pools_and_one_that_is_not_there_are_problems() {
    let rig = Rig::new();
    let sources = NamedSources::default().toml("pools.toml", "[pool]\nmax_open = 3\n");
    let problems = rig.problems(sources);
    assert_eq!(problems, ["file = \"pools.toml\": names no pool; allowed: tables [pools.NAME]"]);
    let problems = rig.problems(NamedSources::default().toml_file("/nowhere/pools.toml"));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].starts_with("file = \"/nowhere/pools.toml\": No such file"),
        "{problems:?}"
    );
}

#[test]
fn a_broken_file_yields_the_mistakes_of_its_pools_too() {
    let file = "[pools.orders] # the till's\nurl = 'fake:a'\nmax_idle = -1\nmin_idle = \n";
    let problems = Rig::new().problems(NamedSources::default().toml("pools.toml", file));
    let expected = ["max_idle = \"-1\"", "min_idle = \"\"", "TOML = \"\""];
    for start in expected {
        let found = problems.iter().any(|problem| problem.contains(start));
        assert!(found, "{start}\n{problems:#?}");
    }
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
}

#[test]
fn a_password_is_in_nothing_that_is_printed() {
    let rig = Rig::new();
    let secret = "fake://app:hunter2@db/orders?password=hunter2";
    let good = changed("fake://app:hunter2@db/orders", secret);
    let wrong = [
        good.replace("fake:", "fkae:"),
        good.replace("fake://app:", "app:"),
        good.replace("fake://app:", ""),
        good.replace("max_open", "max_opne"),
        good.replace("url = ", "ulr = "),
        good.replace("hunter2'", "hunter2"),
    ];
    let wrong = wrong.into_iter().chain([
        good.replace("[pools.users]", &format!("[pools.'{secret}']")),
        good.replace("max_idle = 3", &format!("'{secret}' = 3")),
        good.replace("[pool]", &format!("[pools]\n'{secret}' = true\n[pool]")),
        "[pools]\nmain.url = 'fake://app:a\nhunter2.b%20@db?x=1&y=%31'\n".to_owned(),
    ]);
    let variables = [("POOL_URL", secret), ("POOL_ORDERS_ULR", secret), ("POOL_USERS_URL", secret)];
    for file in wrong {
        let sources = NamedSources::default()
            .toml("pools.toml", &file)
            .environment(variables)
            .code("main", Some(secret), secret, secret);
        let options = rig.options(sources);
        let shown = format!("{options:?}");
        let error = ConnectionManager::new(options).expect_err("invalid");
        let shown = format!("{shown}{error}{error:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let manager = rig.manager(&good);
    let outcome = manager.reconfigure(manager.sources().toml("pools.toml", FILE)).expect("valid");
    assert!(outcome.pools[0].renewed.is_some());
    let explained = manager.resolved("orders").expect("there").explain().to_string();
    let closed = rig.sim.block_on(manager.close(SEC));
    let shown = format!("{manager:?}{outcome:?}{outcome}{explained}{closed:?}{closed}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(explained.contains("fake:..."), "{explained}");
}
