//! The SDK's providers, and how they end where nobody shuts them down.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{SpanBuilder, Tracer};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span};

/// How long who drops them waits for the last data. A collector that is well has them in a fraction of
/// it, so that a program which ends by a drop loses nothing; one that hangs costs no more than this.
const PARTING: Duration = Duration::from_secs(1);

/// The last provider to go waits for the last data, five seconds for each signal, and has no say in
/// where it is dropped: perhaps on the only thread of a runtime. So a thread of its own drops these.
#[derive(Debug)]
pub(super) struct Providers {
    /// Gone only while they are dropped.
    both: Option<(SdkMeterProvider, SdkTracerProvider)>,
}

impl Providers {
    pub(super) fn new(meters: SdkMeterProvider, tracers: SdkTracerProvider) -> Arc<Self> {
        Arc::new(Self { both: Some((meters, tracers)) })
    }

    pub(super) fn meters(&self) -> &SdkMeterProvider {
        &self.both().0
    }

    pub(super) fn tracers(&self) -> &SdkTracerProvider {
        &self.both().1
    }

    fn both(&self) -> &(SdkMeterProvider, SdkTracerProvider) {
        self.both.as_ref().expect("bug: they are being dropped")
    }
}

impl Drop for Providers {
    fn drop(&mut self) {
        let both = self.both.take();
        let (delivering, delivered) = mpsc::channel::<()>();
        let parting = move || {
            drop(both);
            drop(delivering);
        };
        // Where there is no thread to be had, this one has dropped them by now.
        if thread::Builder::new().name("pool-otlp-end".to_owned()).spawn(parting).is_ok() {
            let _delivered_or_late = delivered.recv_timeout(PARTING);
        }
    }
}

/// A tracer, which holds a provider itself: with all of them, so that it is not the last that does.
#[derive(Debug)]
pub(super) struct TracerOfPools {
    tracer: SdkTracer,
    /// Behind the tracer: fields are dropped in their order.
    _providers: Arc<Providers>,
}

impl TracerOfPools {
    pub(super) fn new(tracer: SdkTracer, providers: &Arc<Providers>) -> Self {
        Self { tracer, _providers: Arc::clone(providers) }
    }
}

impl Tracer for TracerOfPools {
    type Span = Span;

    fn build_with_context(&self, builder: SpanBuilder, parent: &Context) -> Span {
        self.tracer.build_with_context(builder, parent)
    }
}
