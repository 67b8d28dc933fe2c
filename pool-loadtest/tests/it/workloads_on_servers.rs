//! Each workload on real servers, with its invariant.
//!
//! `cargo xtask itest` runs them by the names of their modules, as those of `on_servers.rs`.

use std::fs;

use pool_testkit::servers::{Database, Family, shared};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{json, run};

/// How many tables a workload has left behind. Some servers show those of every database.
fn left_in(database: &Database) -> String {
    let name = database.name();
    let sql = format!(
        "select count(*) from information_schema.tables \
         where (table_schema = '{name}' or table_catalog = '{name}') \
         and (table_name like 'pool_loadtest%' or table_name like 'shop%')"
    );
    database.run(&sql).expect("counted").trim().to_owned()
}

/// Runs a workload for a short time, and looks what it has left behind.
fn run_on(database: &Database, workload: &[&str]) -> Value {
    let url = database.url();
    let arguments = ["run", "--url", &url, "--duration", "500ms", "--output", "json"];
    let (code, stdout, stderr) = run(&[&arguments, workload].concat());
    assert_eq!(code, 0, "{workload:?}: {stderr}");
    let report = json(&stdout);
    assert_eq!((&report["errors"], &report["invariant"]), (&0.into(), &"held".into()), "{report}");
    assert!(report["operations"].as_u64() > Some(0), "{report}");
    assert_eq!(left_in(database), "0", "{workload:?}");
    report
}

fn each_workload_holds_its_invariant(family: Family) {
    let database = shared(family).expect("a server").database("workloads").expect("a database");
    for workload in [
        &["--workload", "point-read"][..],
        &["--workload", "tpcb-like", "--scale", "1"],
        &["--workload", "mix", "--slow", "20"],
        &["--workload", "long-transactions", "--hold", "2ms"],
    ] {
        let report = run_on(&database, workload);
        assert_eq!(report["workload"], workload[1..].join(" "));
    }
}

/// Parameters of every type that the servers' columns have, in the ways of writing that hide others.
const SHOP: &str = "\
-- set id = uniform(1, 100)
-- set price = choice(5, 70)
-- set name = text(12)
-- set day = choice('2024-02-29', '2025-01-01')
-- set order = sequence(1)
-- setup
create table shop_items (id smallint primary key, price numeric(9, 2) not null);
create table shop_orders (number bigint primary key, item integer not null, name varchar(20),
                          day date not null, price double precision);
insert into shop_items values ITEMS;
-- name: look weight=3
select name, ':id', /* :id */ shop_items.price from shop_items left join shop_orders on item = id
 where id = :id limit 1;
-- name: order
update shop_items set price = :price where id = :id;
insert into shop_orders values (:order, :id, :name, :day, :price);
select CAST from shop_orders where number = :order and item = :id;
-- verify
select sum(case when number < 1 then 1 else 0 end) from shop_orders;
select count(*) - count(distinct number) from shop_orders;
-- teardown
drop table shop_items;
drop table shop_orders;
";

fn a_file_of_sql_runs_with_parameters_of_every_type(family: Family, cast: &str) {
    let database = shared(family).expect("a server").database("custom").expect("a database");
    let directory = TempDir::new().expect("made");
    let path = directory.path().join("shop.sql");
    let items: Vec<_> = (1..=100).map(|id| format!("({id}, {id}.5)")).collect();
    let text = SHOP.replace("ITEMS", &items.join(", ")).replace("CAST", cast);
    fs::write(&path, &text).expect("written");
    let arguments = ["--workload", "custom", "--sql", path.to_str().expect("text")];
    let report = run_on(&database, &arguments);
    let detail = report["invariant_detail"].as_str().expect("words");
    assert!(detail.starts_with("2 checks of "), "{detail}");

    fs::write(&path, text.replace("where number =", "where nubmer =")).expect("written");
    let url = database.url();
    let (code, stdout, stderr) = run(&[&["run", "--url", &url], &arguments[..]].concat());
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert!(stderr.contains("line 17 of ") && stderr.contains("nubmer"), "{stderr}");
    assert_eq!(left_in(&database), "0", "torn down");
}

mod postgres {
    use super::Family::Postgres;

    #[test]
    fn each_workload_holds_its_invariant_and_leaves_nothing_behind() {
        super::each_workload_holds_its_invariant(Postgres);
    }

    #[test]
    fn a_file_of_sql_runs_with_parameters_of_every_type() {
        let cast = "price::text, $$ :no $$, E'\\':no'";
        super::a_file_of_sql_runs_with_parameters_of_every_type(Postgres, cast);
    }
}

mod mysql {
    use super::Family::MySql;

    #[test]
    fn each_workload_holds_its_invariant_and_leaves_nothing_behind() {
        super::each_workload_holds_its_invariant(MySql);
    }

    #[test]
    fn a_file_of_sql_runs_with_parameters_of_every_type() {
        let cast = "price, '\\':no', `name` # :no\n";
        super::a_file_of_sql_runs_with_parameters_of_every_type(MySql, cast);
    }
}
