//! The step `smoke`: the load tester drives a pool for three seconds and finds nothing wrong.
//!
//! It asks whether the pool works at all, not how fast it is.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::verdict::Verdict;
use crate::{child, metadata};

const PACKAGE: &str = "pool-loadtest";

pub(super) fn check() -> Result<Verdict> {
    metadata::require_member(PACKAGE)?;
    let mut command = child::cargo(&["run", "--release", "--package", PACKAGE, "--", "run"]);
    command.args(["--duration", "3s", "--tasks", "16", "--output", "json"]);
    judge(&child::run_and_read(&mut command)?)?;
    Ok(Verdict::Passed)
}

fn judge(report: &str) -> Result<()> {
    let report: Value = serde_json::from_str(report).context("the report is not JSON")?;
    let throughput =
        report["throughput"].as_f64().context("no number `throughput` in the report")?;
    let errors = report["errors"].as_u64().context("no count `errors` in the report")?;
    let invariant = report["invariant"].as_str().context("no word `invariant` in the report")?;
    ensure!(throughput > 0.0, "nothing was done: throughput is {throughput}");
    ensure!(errors == 0, "the load saw {errors} errors");
    ensure!(invariant == "held", "the pool's invariant is `{invariant}`, not `held`");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(report: &str) -> String {
        judge(report).expect_err("a fault").to_string()
    }

    #[test]
    fn work_without_errors_and_an_invariant_that_held_pass() {
        judge(r#"{ "throughput": 12.5, "errors": 0, "invariant": "held" }"#).expect("passes");
    }

    #[test]
    fn no_work_an_error_and_a_broken_invariant_each_fail() {
        let idle = r#"{ "throughput": 0, "errors": 0, "invariant": "held" }"#;
        assert_eq!(fault(idle), "nothing was done: throughput is 0");
        let erring = r#"{ "throughput": 1, "errors": 3, "invariant": "held" }"#;
        assert_eq!(fault(erring), "the load saw 3 errors");
        let broken = r#"{ "throughput": 1, "errors": 0, "invariant": "broken" }"#;
        assert_eq!(fault(broken), "the pool's invariant is `broken`, not `held`");
    }

    #[test]
    fn a_report_that_lacks_a_number_fails() {
        assert_eq!(fault(r#"{ "throughput": 1 }"#), "no count `errors` in the report");
        assert_eq!(fault("Finished"), "the report is not JSON");
    }
}
