//! Every metric there is, once: its name, kind, unit, buckets and attributes.
//!
//! The OpenTelemetry instruments, the Prometheus endpoint, the shipped rules and the dashboard are made
//! from this table; none of them can drift. Names under `db.client.connection` are those of the
//! OpenTelemetry semantic conventions 1.44; names under `pool` are ours, for what the conventions lack.

/// The attribute that every metric and span has: the pool's name, never anything of its DSN.
///
/// Give each pool of a program its own by [`PoolOptions`](pool_core::PoolOptions). Of pools that share one,
/// [`PoolMonitor`](crate::PoolMonitor), [`PoolMetrics`](crate::PoolMetrics) and the Prometheus endpoint
/// call the later ones `name#2`, `name#3` and so on, each in the order in which it came to watch them: one
/// pool may have a different number in each, and after the next start. The spans of all, and the pool's own
/// errors, have the plain name.
pub const POOL_NAME: &str = "db.client.connection.pool.name";
/// `idle` or `used`, of [`COUNT`].
pub const STATE: &str = "db.client.connection.state";
/// What went wrong, of what can fail: absent where it went well.
pub const ERROR_TYPE: &str = "error.type";
/// Why connections were closed, of [`CLOSED`].
pub const CLOSE_REASON: &str = "pool.close.reason";
/// How acquires ended, of [`ACQUIRES`].
pub const OUTCOME: &str = "pool.acquire.outcome";

/// The [`ERROR_TYPE`] of a configuration that was refused, of [`RECONFIGURATIONS`].
pub const REFUSED: &str = "refused";
/// Which state of health a value is about, of [`HEALTH`].
pub const HEALTH_STATE: &str = "pool.health.state";
/// Which state of a share in a server a value is about, of [`FLEET_STATE`].
pub const SHARE_STATE: &str = "pool.fleet.share.state";

/// What a metric is, and thereby how its values are to be read.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// Grows only.
    Counter,
    /// Grows and shrinks; the sum over pools and programs means something.
    UpDownCounter,
    /// Grows and shrinks; only its own value means something.
    Gauge,
    /// How often values came to lie in which bucket; these are the buckets' upper bounds.
    Histogram(&'static [f64]),
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name in OpenTelemetry.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its unit, in the conventions' notation: `s`, or what is counted in braces.
    pub unit: &'static str,
    /// One sentence, without its full stop.
    pub description: &'static str,
    /// Its attributes beside [`POOL_NAME`].
    pub attributes: &'static [&'static str],
}

impl Metric {
    const fn new(
        name: &'static str,
        kind: Kind,
        unit: &'static str,
        description: &'static str,
    ) -> Self {
        Self { name, kind, unit, description, attributes: &[] }
    }

    const fn by(self, attributes: &'static [&'static str]) -> Self {
        Self { attributes, ..self }
    }

    /// Whether the name is one of the semantic conventions.
    #[must_use]
    pub fn is_conventional(&self) -> bool {
        self.name.starts_with("db.client.connection.")
    }

    /// Its name in Prometheus: dots become underscores, the unit and what a counter is go to the end.
    ///
    /// ```
    /// use pool_monitor::catalogue::{TIMEOUTS, WAIT_TIME};
    ///
    /// assert_eq!(WAIT_TIME.prometheus_name(), "db_client_connection_wait_time_seconds");
    /// assert_eq!(TIMEOUTS.prometheus_name(), "db_client_connection_timeouts_total");
    /// ```
    #[must_use]
    pub fn prometheus_name(&self) -> String {
        let unit = if self.unit == "s" { "_seconds" } else { "" };
        let kind = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("{}{unit}{kind}", prometheus_label(self.name))
    }
}

/// The name of an attribute in Prometheus, in which what may not be in one is an underscore.
///
/// ```
/// use pool_monitor::catalogue::prometheus_label;
///
/// assert_eq!(prometheus_label("pool.close-reason:x"), "pool_close_reason_x");
/// ```
#[must_use]
pub fn prometheus_label(name: &str) -> String {
    let mut label = String::new();
    push_legal(&mut label, name, |_| false);
    label
}

/// Writes a name with underscores for what may not be in one, so that no name breaks out of its line.
pub(crate) fn push_legal(to: &mut String, name: &str, is_legal: impl Fn(char) -> bool) {
    if name.starts_with(|it: char| it.is_ascii_digit()) {
        to.push('_');
    }
    let is_legal = |it: char| it.is_ascii_alphanumeric() || it == '_' || is_legal(it);
    for (index, legal) in name.split(|it| !is_legal(it)).enumerate() {
        to.push_str(if index > 0 { "_" } else { "" });
        to.push_str(legal);
    }
}

/// Bounds for waits, in seconds. Under the SDK's own, of which the smallest is 5 s, every wait would
/// fall into one bucket.
const WAITS: Kind =
    Kind::Histogram(&[0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0]);
/// Bounds for what a server is asked: connects and checks.
const CALLS: Kind = Kind::Histogram(&[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0]);
/// Bounds for how long connections are held.
const USES: Kind =
    Kind::Histogram(&[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0]);

const CONNECTIONS: &str = "{connection}";

macro_rules! catalogue {
    ($($(#[doc = $doc:literal])* $name:ident = $metric:expr;)*) => {
        $($(#[doc = $doc])* pub const $name: Metric = $metric;)*

        /// Every metric, the conventional ones first.
        pub const ALL: &[Metric] = &[$($name),*];
    };
}

catalogue! {
    /// Open connections, by state.
    COUNT = Metric::new(
        "db.client.connection.count",
        Kind::UpDownCounter,
        CONNECTIONS,
        "Open connections in the state that the attribute describes",
    ).by(&[STATE]);
    /// The effective `max_idle`.
    IDLE_MAX = Metric::new(
        "db.client.connection.idle.max",
        Kind::UpDownCounter,
        CONNECTIONS,
        "The most idle connections that are kept",
    );
    /// The effective `min_idle`.
    IDLE_MIN = Metric::new(
        "db.client.connection.idle.min",
        Kind::UpDownCounter,
        CONNECTIONS,
        "Idle connections that are opened ahead",
    );
    /// The effective `max_open`; absent for an unlimited pool.
    MAX = Metric::new(
        "db.client.connection.max",
        Kind::UpDownCounter,
        CONNECTIONS,
        "The most connections that may be open",
    );
    /// Acquires waiting.
    PENDING_REQUESTS = Metric::new(
        "db.client.connection.pending_requests",
        Kind::UpDownCounter,
        "{request}",
        "Acquires that wait for a connection now",
    );
    /// Acquires that reached their deadline.
    TIMEOUTS = Metric::new(
        "db.client.connection.timeouts",
        Kind::Counter,
        "{timeout}",
        "Acquires that got no connection before their deadline",
    );
    /// How long connects took that succeeded.
    CREATE_TIME = Metric::new(
        "db.client.connection.create_time",
        CALLS,
        "s",
        "How long it took to open a connection",
    );
    /// How long acquires took, whatever became of them.
    WAIT_TIME = Metric::new(
        "db.client.connection.wait_time",
        WAITS,
        "s",
        "How long an acquire waited, whether or not it got a connection",
    ).by(&[ERROR_TYPE]);
    /// How long connections were held.
    USE_TIME = Metric::new(
        "db.client.connection.use_time",
        USES,
        "s",
        "How long a connection was held by a user",
    );

    /// How acquires ended.
    ACQUIRES = Metric::new(
        "pool.acquires",
        Kind::Counter,
        "{acquire}",
        "Acquires, by how they ended",
    ).by(&[OUTCOME]);
    /// Connections opened.
    OPENED = Metric::new(
        "pool.connections.opened",
        Kind::Counter,
        CONNECTIONS,
        "Connections opened",
    );
    /// Connects that failed.
    OPEN_FAILURES = Metric::new(
        "pool.connections.open_failures",
        Kind::Counter,
        "{failure}",
        "Connects that failed, by the kind of error",
    ).by(&[ERROR_TYPE]);
    /// Connections that left the pool.
    CLOSED = Metric::new(
        "pool.connections.closed",
        Kind::Counter,
        CONNECTIONS,
        "Connections closed, by reason",
    ).by(&[CLOSE_REASON]);
    /// Connects in flight.
    OPENING = Metric::new(
        "pool.connections.opening",
        Kind::UpDownCounter,
        CONNECTIONS,
        "Connects in flight",
    );
    /// How long checks of idle connections took.
    CHECK_TIME = Metric::new(
        "pool.check_time",
        CALLS,
        "s",
        "How long it took to check an idle connection, whether or not it was alive",
    ).by(&[ERROR_TYPE]);
    /// Checkouts held for longer than `leak_after`.
    LEAKS_SUSPECTED = Metric::new(
        "pool.leaks_suspected",
        Kind::Counter,
        CONNECTIONS,
        "Connections that were held for longer than leak_after",
    );
    /// The part of `max_open` that is taken.
    UTILISATION = Metric::new(
        "pool.utilisation",
        Kind::Gauge,
        "1",
        "The part of max_open that is in use or being opened; 0 for an unlimited pool",
    );
    /// The most connections ever handed out at once.
    PEAK_IN_USE = Metric::new(
        "pool.peak_in_use",
        Kind::Gauge,
        CONNECTIONS,
        "The most connections that were in use at once since the pool was made",
    );
    /// The age of the oldest waiter.
    OLDEST_WAIT = Metric::new(
        "pool.oldest_wait",
        Kind::Gauge,
        "s",
        "How long the oldest of the waiting acquires has waited",
    );
    /// `max_waiters`.
    MAX_WAITERS = Metric::new(
        "pool.max_waiters",
        Kind::UpDownCounter,
        "{request}",
        "The most acquires that may wait",
    );
    /// Whether connects succeed.
    CIRCUIT_OPEN = Metric::new(
        "pool.circuit_open",
        Kind::Gauge,
        "1",
        "1 while connects fail, 0 while they succeed",
    );
    /// The state of health, as whoever checks the pool has told it.
    HEALTH = Metric::new(
        "pool.health",
        Kind::Gauge,
        "1",
        "1 for the state of health that the pool is in, 0 for the others; absent where nobody checks it",
    ).by(&[HEALTH_STATE]);
    /// Whether the probes of whoever checks the pool succeed.
    PROBE_CIRCUIT_OPEN = Metric::new(
        "pool.probe_circuit_open",
        Kind::Gauge,
        "1",
        "1 while probes of the pool's health fail, 0 while they succeed; absent where nobody checks it",
    );
    /// What the tuner recommends, or has given the pool.
    SIZE_RECOMMENDED = Metric::new(
        "pool.size.recommended",
        Kind::Gauge,
        CONNECTIONS,
        "The max_open that the tuner recommends or has set; absent where there is none",
    );
    /// Whether that is in force.
    SIZE_APPLIED = Metric::new(
        "pool.size.applied",
        Kind::Gauge,
        "1",
        "1 while the recommended max_open is in force, 0 while it is only said; absent where there is none",
    );
    /// The pool's share of a server.
    FLEET_GRANTED = Metric::new(
        "pool.fleet.granted",
        Kind::UpDownCounter,
        CONNECTIONS,
        "Connections that the pool may have of a server it shares; absent where it is in no fleet",
    );
    /// What the pool may do with its share.
    FLEET_STATE = Metric::new(
        "pool.fleet.state",
        Kind::Gauge,
        "1",
        "1 for the state that the pool's share of a server is in, 0 for the others; absent where it is in no fleet",
    ).by(&[SHARE_STATE]);
    /// Number of the configuration in force.
    GENERATION = Metric::new(
        "pool.generation",
        Kind::Gauge,
        "{generation}",
        "Number of the configuration in force",
    );
    /// Configurations applied, and refused.
    RECONFIGURATIONS = Metric::new(
        "pool.reconfigurations",
        Kind::Counter,
        "{reconfiguration}",
        "Configurations that were applied, or refused with an error",
    ).by(&[ERROR_TYPE]);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use opentelemetry_semantic_conventions::{attribute, metric};

    use super::*;

    #[test]
    fn conventional_names_are_those_of_the_conventions() {
        let names: Vec<_> = ALL
            .iter()
            .filter(|metric| metric.is_conventional())
            .map(|metric| metric.name)
            .collect();
        let expected = [
            metric::DB_CLIENT_CONNECTION_COUNT,
            metric::DB_CLIENT_CONNECTION_IDLE_MAX,
            metric::DB_CLIENT_CONNECTION_IDLE_MIN,
            metric::DB_CLIENT_CONNECTION_MAX,
            metric::DB_CLIENT_CONNECTION_PENDING_REQUESTS,
            metric::DB_CLIENT_CONNECTION_TIMEOUTS,
            metric::DB_CLIENT_CONNECTION_CREATE_TIME,
            metric::DB_CLIENT_CONNECTION_WAIT_TIME,
            metric::DB_CLIENT_CONNECTION_USE_TIME,
        ];
        assert_eq!(names, expected);
        let attributes = [
            attribute::DB_CLIENT_CONNECTION_POOL_NAME,
            attribute::DB_CLIENT_CONNECTION_STATE,
            attribute::ERROR_TYPE,
        ];
        assert_eq!([POOL_NAME, STATE, ERROR_TYPE], attributes);
    }

    #[test]
    fn no_two_metrics_have_one_name() {
        let names: BTreeSet<_> = ALL.iter().map(Metric::prometheus_name).collect();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn bounds_grow_and_units_are_seconds_or_what_is_counted() {
        for metric in ALL {
            if let Kind::Histogram(bounds) = metric.kind {
                assert!(bounds.is_sorted_by(|a, b| a < b), "{}", metric.name);
                assert_eq!(metric.unit, "s", "{}", metric.name);
            }
            let counts = metric.unit.starts_with('{') && metric.unit.ends_with('}');
            assert!(counts || ["s", "1"].contains(&metric.unit), "{}", metric.name);
        }
    }
}
