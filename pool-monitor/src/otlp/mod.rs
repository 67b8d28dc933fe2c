//! Exporters of metrics and traces to an OpenTelemetry collector, by one call.
//!
//! They run in a thread of their own, so they work beside any runtime and without one, and a
//! collector that is down or slow costs nobody but that thread: spans wait in a bounded queue, and
//! those beyond it are counted ([`TelemetryState`]). Trouble is reported through `tracing` once when
//! it begins and once when it ends.
//!
//! Options leave to the environment what they do not say, by the names and rules of the
//! [specification]: `OTEL_SDK_DISABLED`, `OTEL_{TRACES,METRICS}_EXPORTER` (`otlp` or `none`),
//! `OTEL_EXPORTER_OTLP_{ENDPOINT,PROTOCOL,HEADERS,TIMEOUT,CERTIFICATE,CLIENT_CERTIFICATE,CLIENT_KEY}`
//! and `..._INSECURE` for gRPC, each also as `OTEL_EXPORTER_OTLP_TRACES_...` and `..._METRICS_...`,
//! `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`, `OTEL_SERVICE_NAME`,
//! `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER` and `..._ARG`, `OTEL_BSP_*` and
//! `OTEL_METRIC_EXPORT_{INTERVAL,TIMEOUT}`. The program wins over the environment. The limits of
//! spans, `OTEL_SPAN_*`, are read by the SDK. Nothing is compressed.
//!
//! [specification]: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/

mod endpoint;
mod environment;
mod error;
mod exporters;
#[cfg(feature = "otlp-grpc")]
mod grpc;
mod health;
mod http;
mod metrics;
mod options;
mod providers;
mod sender;
mod settings;
mod spans;
mod tls;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::global::{self, BoxedTracer};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{Instrument, SdkMeterProvider, Stream};
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::SdkTracerProvider;

use crate::metrics::PoolMetrics;
use crate::scope::scope;
use crate::trace::{PoolTraces, TraceOptions};

pub use self::error::{ExportError, OtlpError};
pub use self::exporters::Delivery;
pub use self::health::TelemetryState;
pub use self::options::{Environment, OtlpOptions, Protocol};

use self::exporters::{Exporters, Processor, Reader};
use self::providers::{End, LastData, Providers, TracerOfPools};
use self::settings::Settings;

/// How many sets of attributes a metric may have before the SDK lumps the rest together. Its own 2000
/// are too few for a thousand pools: connections closed have eight reasons a pool.
const CARDINALITY: usize = 10_000;

/// Exporters that run. They go on without this handle as long as a provider of theirs or the traces of
/// a pool are in use; its metrics alone do not keep them.
///
/// [`shutdown`](Self::shutdown) is what has the last data delivered: it waits as long as you say and tells
/// what arrived. A drop without it waits a second at most, which a collector that is well does not need;
/// what one that is slow has not taken by then is still tried for ten seconds, unless the program ends
/// first, and nobody is told. Whoever drops the traces of a pool after it waits for nothing. A provider that
/// you have cloned and drop last waits for those ten seconds itself, as the SDK does.
#[derive(Debug)]
#[must_use = "whoever shuts it down loses none of the last data"]
pub struct Telemetry {
    exporters: Arc<Exporters>,
    providers: Arc<Providers>,
    /// Behind the providers: fields are dropped in their order.
    _last_data: LastData,
}

impl Telemetry {
    /// Starts exporters. It waits for nothing: whether the collector is there is seen by the first
    /// export. Variables that are not understood are reported as warnings.
    ///
    /// # Errors
    ///
    /// Options or variables are wrong, all of them at once, or there is no thread to be had.
    pub fn start(options: &OtlpOptions) -> Result<Self, OtlpError> {
        let lookup = |name: &str| std::env::var_os(name);
        let (mut settings, warnings) = Settings::resolve(options, &lookup)?;
        for warning in warnings {
            tracing::warn!(%warning, "a variable is ignored");
        }
        let exporters = Exporters::start(&mut settings)?;
        let end = End::start().map_err(OtlpError::Thread)?;
        let resource = resource(&settings);
        let (providers, last_data) = end.of(
            meter_provider(&exporters, resource.clone()),
            tracer_provider(&exporters, resource, &settings),
        );
        Ok(Self { exporters, providers, _last_data: last_data })
    }

    /// Where meters come from.
    #[must_use]
    pub fn meter_provider(&self) -> &SdkMeterProvider {
        self.providers.meters()
    }

    /// Where tracers come from.
    #[must_use]
    pub fn tracer_provider(&self) -> &SdkTracerProvider {
        self.providers.tracers()
    }

    /// Metrics of pools to this collector: of [`meter_provider`](Self::meter_provider), whose SDK is known,
    /// and therefore at the least cost.
    pub fn pool_metrics(&self) -> PoolMetrics {
        PoolMetrics::bound(&self.meter_provider().meter_with_scope(scope()))
    }

    /// Traces of pools to this collector.
    #[must_use]
    pub fn pool_traces(&self, options: TraceOptions) -> PoolTraces {
        let tracer = self.tracer_provider().tracer_with_scope(scope());
        let tracer = TracerOfPools::new(tracer, &self.providers);
        PoolTraces::by(BoxedTracer::new(Box::new(tracer)), options)
    }

    /// Makes both providers those of the whole program. To be called before anything takes a meter:
    /// instruments that are older stay without effect.
    pub fn install_global(&self) {
        global::set_meter_provider(self.meter_provider().clone());
        global::set_tracer_provider(self.tracer_provider().clone());
    }

    /// How delivery goes.
    #[must_use]
    pub fn state(&self) -> TelemetryState {
        self.exporters.health.state()
    }

    /// Has all that was recorded before delivered, and blocks this thread until it is, at most until
    /// `deadline` has passed. It may be called on any thread, the only one of a runtime included.
    pub fn flush(&self, deadline: Duration) -> Delivery {
        self.exporters.flush(deadline)
    }

    /// The same as the last thing: afterwards nothing runs, and what is recorded goes nowhere. Spans
    /// that are not delivered by `deadline` are dropped, and all of it is told. Doing it again has no
    /// effect.
    pub fn shutdown(&self, deadline: Duration) -> Delivery {
        let delivery = self.exporters.shutdown(deadline);
        // Their exporters are gone, so there is nothing to wait for and nothing that can fail.
        let _tracers = self.tracer_provider().shutdown();
        let _meters = self.meter_provider().shutdown();
        delivery
    }
}

fn resource(settings: &Settings) -> Resource {
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(settings.resource.iter().cloned())
        .build()
}

fn meter_provider(exporters: &Arc<Exporters>, resource: Resource) -> SdkMeterProvider {
    let builder =
        SdkMeterProvider::builder().with_resource(resource).with_view(|_: &Instrument| {
            Some(Stream::builder().with_cardinality_limit(CARDINALITY).build())?.ok()
        });
    match exporters.metrics.clone() {
        None => builder.build(),
        Some(metrics) => {
            builder.with_reader(Reader { exporters: Arc::clone(exporters), metrics }).build()
        }
    }
}

fn tracer_provider(
    exporters: &Arc<Exporters>,
    resource: Resource,
    settings: &Settings,
) -> SdkTracerProvider {
    let builder =
        SdkTracerProvider::builder().with_resource(resource).with_sampler(settings.sampler.clone());
    match exporters.spans.clone() {
        None => builder.build(),
        Some(spans) => {
            let exporters = Arc::clone(exporters);
            builder.with_span_processor(Processor { exporters, spans }).build()
        }
    }
}
