//! The load tester inside a test of one's own: a closure on SQLite, and an objective that is asserted.

use std::time::Duration;

use pool_core::{Pool, PoolConfig};
use pool_loadtest::{Arrivals, Invariant, LoadOptions, LoadTester, Report, workload_of};
use pool_sqlite::{SqliteDriver, SqliteOptions};

/// The report of a load of reads with a deadline for a connection.
async fn report_of_reads(name: &str, statement: &'static str) -> Report {
    let driver = SqliteDriver::new(SqliteOptions::shared_memory(name));
    let config = PoolConfig { max_open: 2, ..PoolConfig::default() };
    let pool = Pool::open(driver, config).await.expect("opened");
    let reads = workload_of::<SqliteDriver>("reads", move |step| {
        Box::pin(async move {
            let _: i64 = step.connection.query_row(statement, (), |row| row.get(0)).await?;
            Ok(())
        })
    });
    let options = LoadOptions {
        arrivals: Arrivals::closed(4),
        duration: Duration::from_millis(300),
        baseline: Duration::ZERO,
        ..LoadOptions::default()
    };
    LoadTester::new(pool, reads, options).run().await.expect("started")
}

#[tokio::test]
async fn reads_are_answered_within_a_second() {
    let report = report_of_reads("objectives", "select 1").await;
    assert_eq!((&*report.workload, report.invariant), ("reads", Invariant::Held), "{report}");
    report.assert_holds("response.p99<1s, errors<1%, throughput>1/s");
    // An objective that nothing could meet is not met.
    let missed = report.require("response.p99<1ns").expect_err("missed").to_string();
    assert!(missed.starts_with("the objective is missed: response.p99"), "{missed}");
}

#[tokio::test]
async fn a_closure_whose_statements_fail_is_seen_in_the_report() {
    let report = report_of_reads("failing", "select * from missing").await;
    assert_eq!(report.operations, 0, "{report}");
    report.require("errors<1%").expect_err("all failed");
    let [group] = &*report.error_groups else { panic!("{report}") };
    assert!(group.first.contains("no such table: missing"), "{group:?}");
}
