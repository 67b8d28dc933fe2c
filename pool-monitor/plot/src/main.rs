//! Draws a load test as a real Prometheus sees it: a calm load, amid it a spike that is far more than the
//! pool has connections for, and what the pool's metrics tell of it.
//!
//! Whoever runs it waits for a minute and finds `docs/plots/spike.svg` written anew.
#![forbid(unsafe_code)]

mod draw;
mod load;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use pool_testkit::receivers::{Prometheus, Series};

use self::draw::{Curve, Panel};
use self::load::{Load, MAX_OPEN};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/plots/spike.svg");
const STEP: Duration = Duration::from_millis(250);

#[tokio::main]
async fn main() -> Result<()> {
    let (prometheus, load) = load::run().await?;
    let asked = asked();
    let panels = asked.iter().map(|(title, curves)| panel(&prometheus, &load, title, curves));
    let panels = panels.collect::<Result<Vec<_>>>()?;
    draw::write(Path::new(FILE), &panels, load.spike())?;
    println!("drawn: docs/plots/spike.svg");
    Ok(())
}

/// The name of a curve and what Prometheus is asked for it.
type Asked = (&'static str, String);

/// The panels, by expressions as they are on the dashboard, over shorter times.
fn asked() -> [(String, Vec<Asked>); 4] {
    // Percentiles would jump from one bucket to the next.
    let mean = |name| format!("1000 * sum(rate({name}_sum[2s])) / sum(rate({name}_count[2s]))");
    let state =
        |state| format!("db_client_connection_count{{db_client_connection_state=\"{state}\"}}");
    let acquires = |outcome| {
        format!("sum(rate(pool_acquires_total{{pool_acquire_outcome=\"{outcome}\"}}[2s]))")
    };
    [
        (
            format!("connections of a pool of {MAX_OPEN}"),
            vec![
                ("in use", state("used")),
                ("idle", state("idle")),
                ("max_open", "db_client_connection_max".to_owned()),
            ],
        ),
        (
            "acquires that wait".to_owned(),
            vec![("waiting", "db_client_connection_pending_requests".to_owned())],
        ),
        (
            "time, ms".to_owned(),
            vec![
                ("wait, mean", mean("db_client_connection_wait_time_seconds")),
                ("held, mean", mean("db_client_connection_use_time_seconds")),
            ],
        ),
        (
            "acquires a second, by how they ended".to_owned(),
            vec![("at once", acquires("immediate")), ("after a wait", acquires("waited"))],
        ),
    ]
}

fn panel(prometheus: &Prometheus, load: &Load, title: &str, asked: &[Asked]) -> Result<Panel> {
    let curve = |(name, expression): &Asked| {
        let found = prometheus.range(expression, load.span(), STEP)?;
        let series = found.first().with_context(|| format!("nothing is known of {expression}"))?;
        Ok(Curve { name, points: points(series, load) })
    };
    let curves = asked.iter().map(curve).collect::<Result<_>>()?;
    Ok(Panel { title: title.to_owned(), curves })
}

/// With times since the beginning.
fn points(series: &Series, load: &Load) -> Vec<(f64, f64)> {
    let (start, _) = load.span();
    let is_number = |(_, value): &&(f64, f64)| value.is_finite();
    series.points.iter().filter(is_number).map(|(at, value)| (at - start, *value)).collect()
}
