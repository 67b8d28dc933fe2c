//! Sees every pool from outside: metrics, traces, alerts and advice.
//!
//! Everything here hangs on a pool's [`ControlHandle`](pool_core::ControlHandle) and on the
//! [`Observer`](pool_core::Observer) seam, whatever its driver. The OpenTelemetry API is all that is
//! linked by default; exporters, endpoints and sinks are features.
#![forbid(unsafe_code)]

pub mod adaptive;
pub mod advisor;
#[cfg(feature = "alerts")]
pub mod alerts;
#[cfg(any(feature = "alerts", feature = "otlp"))]
mod background;
pub mod catalogue;
mod causes;
mod closed;
pub mod fleet;
mod histogram;
mod history;
#[cfg(any(feature = "otlp", feature = "webhooks"))]
mod http;
mod metrics;
mod monitor;
mod names;
#[cfg(feature = "otlp")]
pub mod otlp;
#[cfg(feature = "prometheus")]
pub mod prometheus;
mod reading;
mod recorder;
mod registry;
mod scope;
mod signal;
mod sql;
#[cfg(any(feature = "otlp", feature = "webhooks"))]
mod tls;
mod trace;
pub mod tuner;
mod view;
mod window;

/// The guide's code is tested.
#[cfg(all(doctest, feature = "alerts", feature = "otlp", feature = "prometheus"))]
#[doc = include_str!("../../docs/monitoring.md")]
struct Guide;

pub use self::advisor::{Advice, Deployment, advise};
#[cfg(feature = "alerts")]
pub use self::alerts::{
    Alert, AlertError, AlertManager, AlertOptions, Bound, DeliveryError, DeliveryStats, Habits,
    Notification, Rule, Rules, Severity, Sink, SinkOptions, Undelivered,
};
#[cfg(feature = "webhooks")]
pub use self::alerts::{
    Alertmanager, AlertmanagerOptions, Slack, SlackOptions, Webhook, WebhookOptions,
};
#[cfg(feature = "mail")]
pub use self::alerts::{Mail, MailOptions, MailTls};
pub use self::histogram::Distribution;
pub use self::history::{HISTORY_SPAN, History};
pub use self::metrics::PoolMetrics;
pub use self::monitor::{
    MonitorError, MonitorOptions, MonitorSubscription, PoolMonitor, Subscriber,
};
#[cfg(feature = "prometheus")]
pub use self::prometheus::{PrometheusEndpoint, PrometheusError, PrometheusOptions};
pub use self::recorder::{Ages, Leak};
pub use self::signal::Signal;
pub use self::trace::{PoolTraces, TraceOptions};
pub use self::view::{PoolView, Snapshot};
pub use self::window::{Extent, Window, utilisation};
