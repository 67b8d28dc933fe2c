//! Alerts, from pools that are really used to receivers that somebody else wrote.

#[cfg(feature = "mail")]
mod mail;
mod manager;
#[cfg(feature = "webhooks")]
mod tls;
#[cfg(feature = "webhooks")]
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use pool_core::runtime::Instant;
use pool_monitor::{
    AlertManager, AlertOptions, Bound, Rule, Rules, Severity, Signal, Sink, SinkOptions,
};

/// Longer than anything takes that is to be waited for.
const AGES: Duration = Duration::from_mins(1);

/// One critical rule, `busy`: more than ten connections in use.
fn busy() -> Rules {
    Rules(vec![Rule {
        severity: Severity::Critical,
        summary: "{value} of {pool} are in use".to_owned(),
        ..Rule::new("busy", Signal::InUse, Bound::Above(10.0))
    }])
}

/// A sink that is told at once.
fn at_once(name: &str, sink: Arc<dyn Sink>) -> SinkOptions {
    SinkOptions { group_wait: Duration::ZERO, ..SinkOptions::new(name, sink) }
}

fn start(sinks: Vec<SinkOptions>) -> AlertManager {
    let labels = [("service".to_owned(), "shop".to_owned())].into();
    AlertManager::start(AlertOptions { rules: busy(), sinks, labels }).expect("started")
}

/// Lets it see so many connections in use.
fn see(alerts: &AlertManager, pool: &str, in_use: f64) {
    let look = move |signal, _over| (signal == Signal::InUse).then_some(in_use);
    alerts.observe(Instant::EPOCH, pool, &look);
}

/// The statistics of the first sink, once they are so.
#[track_caller]
fn wait_for(
    alerts: &AlertManager,
    is_so: impl Fn(&pool_monitor::DeliveryStats) -> bool,
) -> pool_monitor::DeliveryStats {
    let began = std::time::Instant::now();
    loop {
        let stats = alerts.delivery().swap_remove(0);
        if is_so(&stats) {
            return stats;
        }
        assert!(began.elapsed() < AGES, "{stats:?}");
        std::thread::yield_now();
    }
}
