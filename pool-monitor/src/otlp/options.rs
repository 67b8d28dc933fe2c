//! What a program may say about its exporters. What it leaves open, the environment says.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::trace::Sampler;
use pool_core::Secret;

use super::endpoint::Endpoint;

/// How to talk to a collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// OTLP as protobuf in HTTP requests, by convention on port 4318.
    HttpProtobuf,
    /// OTLP by gRPC, by convention on port 4317.
    #[cfg(feature = "otlp-grpc")]
    Grpc,
}

/// Whether the `OTEL_*` variables of the process say what the program does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Environment {
    /// They do; the program wins where both speak.
    #[default]
    Read,
    /// They are not looked at.
    Ignore,
}

/// What exporters are to do. `None` and empty lists leave it to the environment, and then to the
/// default that is named with each.
///
/// ```
/// use pool_core::Secret;
/// use pool_monitor::otlp::OtlpOptions;
///
/// let options = OtlpOptions {
///     endpoint: Some("https://collector.example:4318".to_owned()),
///     headers: vec![("api-key".to_owned(), Secret::new("hunter2"))],
///     service_name: Some("orders".to_owned()),
///     ..Default::default()
/// };
/// assert!(!format!("{options:?}").contains("hunter2"));
/// ```
#[derive(Clone, Default)]
pub struct OtlpOptions {
    /// The collector's URL, for both signals: `/v1/traces` and `/v1/metrics` are added to it for
    /// HTTP. A user and password in it are sent as basic authentication. By default
    /// `http://localhost:4318`, for gRPC `http://localhost:4317`.
    /// (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_{TRACES,METRICS}_ENDPOINT`)
    pub endpoint: Option<String>,
    /// By default HTTP. (`OTEL_EXPORTER_OTLP_PROTOCOL`)
    pub protocol: Option<Protocol>,
    /// Sent with every request. They are added to those of the environment, and win over one of the
    /// same name. (`OTEL_EXPORTER_OTLP_HEADERS`)
    pub headers: Vec<(String, Secret)>,
    /// How long one export may take with all its attempts; by default 10 seconds.
    /// (`OTEL_EXPORTER_OTLP_TIMEOUT`)
    pub timeout: Option<Duration>,
    /// Whose certificates are trusted, instead of those that the system trusts: a PEM file.
    /// (`OTEL_EXPORTER_OTLP_CERTIFICATE`)
    pub trusted_certificates: Option<PathBuf>,
    /// What this program shows to the collector: a PEM file with its certificate and those that
    /// lead to it; needs `client_key`. (`OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE`)
    pub client_certificate: Option<PathBuf>,
    /// The private key of `client_certificate`: a PEM file. (`OTEL_EXPORTER_OTLP_CLIENT_KEY`)
    pub client_key: Option<PathBuf>,
    /// The attribute `service.name`; by default `unknown_service:` and the program's file name.
    /// (`OTEL_SERVICE_NAME`)
    pub service_name: Option<String>,
    /// What else describes this process. They are added to those of the environment, and win over
    /// one of the same name. (`OTEL_RESOURCE_ATTRIBUTES`)
    pub resource: Vec<KeyValue>,
    /// How often metrics are collected and sent; by default every minute.
    /// (`OTEL_METRIC_EXPORT_INTERVAL`)
    pub metric_interval: Option<Duration>,
    /// Whether counters and histograms are sent as totals, the default, or as what was added since
    /// the last time. (`OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`)
    pub temporality: Option<Temporality>,
    /// Which traces are kept; by default all, and of those begun elsewhere the ones that were kept
    /// there. (`OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`)
    pub sampler: Option<Sampler>,
    /// How long a span may wait for others to be sent with; by default 5 seconds.
    /// (`OTEL_BSP_SCHEDULE_DELAY`)
    pub span_delay: Option<Duration>,
    /// How many spans are sent at once; by default 512. (`OTEL_BSP_MAX_EXPORT_BATCH_SIZE`)
    pub span_batch: Option<usize>,
    /// How many spans may wait; those beyond are dropped and counted. By default 2048.
    /// (`OTEL_BSP_MAX_QUEUE_SIZE`)
    pub span_queue: Option<usize>,
    /// Whether the environment is looked at.
    pub environment: Environment,
}

impl fmt::Debug for OtlpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.endpoint.as_deref().map(Endpoint::shown);
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        let resource: Vec<_> = self.resource.iter().map(|attribute| &attribute.key).collect();
        f.debug_struct("OtlpOptions")
            .field("endpoint", &endpoint)
            .field("protocol", &self.protocol)
            .field("headers", &headers)
            .field("timeout", &self.timeout)
            .field("trusted_certificates", &self.trusted_certificates)
            .field("client_certificate", &self.client_certificate)
            .field("client_key", &self.client_key)
            .field("service_name", &self.service_name)
            .field("resource", &resource)
            .field("metric_interval", &self.metric_interval)
            .field("temporality", &self.temporality)
            .field("sampler", &self.sampler)
            .field("span_delay", &self.span_delay)
            .field("span_batch", &self.span_batch)
            .field("span_queue", &self.span_queue)
            .field("environment", &self.environment)
            .finish()
    }
}
