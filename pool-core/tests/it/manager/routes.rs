//! Pools that stand in for each other: what a file says of them, and what is said of mistakes.

use pool_core::NamedSources;

use super::{FILE, Rig};

fn with(routes: &str) -> String {
    format!("{FILE}{routes}")
}

#[test]
fn a_file_names_routes_and_their_pools_in_its_order() {
    let rig = Rig::new();
    let text = with(
        "[routes.shop]\npools = ['orders', 'users']\n\
         [routes.audit]\npools = [\n  'audit-log', # of one\n]\n",
    );
    let manager = rig.manager(&text);
    let routes: Vec<_> = manager
        .routes()
        .iter()
        .map(|route| (&*route.name, route.pools.iter().map(|pool| &**pool).collect::<Vec<_>>()))
        .collect();
    assert_eq!(routes, [("shop", vec!["orders", "users"]), ("audit", vec!["audit-log"])]);
    assert!(rig.manager(FILE).routes().is_empty());
}

#[test]
fn every_mistake_in_a_route_is_said_with_its_line_and_what_is_meant() {
    let rig = Rig::new();
    let text = "\
[pools.orders]
url = 'fake://db/orders'
[pools.orders-replica]
url = 'fake://db2/orders'
[routes.shop]
pools = [
  'orders',
  'orders-replika',
  'orders',
]
[routes.empty]
pools = []
[routes.none]
[routes.text]
pools = 'orders'
[routes.number]
pools = ['orders', 3]
primary = 'orders'
poolz = ['orders']
[routes.Bad]
pools = ['orders']
[routes]
flat = 1
";
    let names = "allowed: names of pools such as [\"orders\", \"orders-replica\"]";
    assert_eq!(
        rig.problems(NamedSources::default().toml("p.toml", text)),
        [
            &*format!("p.toml:13: routes.none.pools = \"\": a route without pools; {names}"),
            &*format!("p.toml:15: routes.text.pools = \"string\": not a list; {names}"),
            "p.toml:18: routes.number = \"primary\": unknown; allowed: pools",
            "p.toml:19: routes.number = \"poolz\": unknown; allowed: pools; did you mean \"pools\"?",
            &*format!("p.toml:17: routes.number.pools = \"integer\": not a name; {names}"),
            "p.toml:23: routes.flat = \"integer\": not a table; allowed: a table, [routes.NAME]",
            "p.toml:8: routes.shop.pools = \"orders-replika\": unknown; \
             allowed: orders, orders-replica; did you mean \"orders-replica\"?",
            "p.toml:9: routes.shop.pools = \"orders\": named twice; allowed: each pool once",
            "p.toml:11: routes.empty.pools = \"[]\": nothing to choose from; \
             allowed: at least one pool, such as [\"orders\"]",
            "p.toml:20: route = \"Bad\": not a name of a route; \
             allowed: a name of a-z, 0-9 and single - or _, such as orders or orders-eu",
        ]
    );
}

#[test]
fn routes_that_are_no_table_or_misspelt_are_problems() {
    let rig = Rig::new();
    let of = |text: &str| rig.problems(NamedSources::default().toml("p.toml", text)).join("\n");
    let flat = of(&format!("routes = 3\n{FILE}"));
    assert!(flat.starts_with("p.toml:1: routes = \"integer\": not a table"), "{flat}");
    let misspelt = of(&with("[Routes.shop]\npools = ['orders']\n"));
    assert!(misspelt.contains("did you mean \"routes\"?"), "{misspelt}");
}

#[test]
fn a_url_in_a_route_is_not_shown() {
    let rig = Rig::new();
    for routes in [
        "[routes.shop]\npools = ['fake://app:hunter2@db/orders']\n",
        "[routes.'fake://app:hunter2@db']\npools = ['orders', 'orders']\n",
        "[routes.shop]\n'app:hunter2@db' = 3\npools = ['hunter2@db', 'hunter2@db']\n",
    ] {
        let problems = rig.problems(NamedSources::default().toml("p.toml", &with(routes)));
        assert!(!problems.is_empty() && !problems.join("").contains("hunter2"), "{problems:?}");
    }
}

#[test]
fn a_changed_route_needs_a_restart_and_a_wrong_one_changes_nothing() {
    let rig = Rig::new();
    let manager = rig.manager(&with("[routes.shop]\npools = ['orders']\n"));
    let sources = |routes| manager.sources().toml("pools.toml", &with(routes));
    let wrong = sources("[routes.shop]\npools = ['order']\n").code("main", None, "max_idle", "2");
    let error = manager.reconfigure(wrong).expect_err("unknown").to_string();
    assert!(error.contains("did you mean \"orders\"?"), "{error}");
    assert_eq!(manager.control("orders").expect("there").config().max_idle, 3);
    let other = sources("[routes.shop]\npools = ['orders', 'users']\n");
    assert!(manager.preview(&other).expect("valid").routes_changed);
    let outcome = manager.reconfigure(other).expect("valid");
    assert!(outcome.needs_restart());
    assert!(outcome.to_string().ends_with("the changed routes need a restart\n"), "{outcome}");
    assert_eq!(manager.routes()[0].pools.len(), 1, "as at the start");
}
