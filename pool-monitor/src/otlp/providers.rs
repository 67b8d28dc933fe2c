//! The SDK's providers, and how they end where nobody shuts them down.

use std::io;
use std::sync::{Arc, Weak, mpsc};
use std::thread;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{SpanBuilder, Tracer};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span};
use parking_lot::Mutex;

/// How long who drops the telemetry waits for the last data. A collector that is well has them in a fraction of
/// it, so that a program which ends by a drop loses nothing; one that hangs costs no more than this.
const PARTING: Duration = Duration::from_secs(1);

type Both = (SdkMeterProvider, SdkTracerProvider);

/// The last provider to go waits for the last data, five seconds for each signal, and has no say in
/// where it is dropped: perhaps on the only thread of a runtime. So these are handed to the [`End`].
#[derive(Debug)]
pub(super) struct Providers {
    /// Gone only while they are dropped.
    both: Option<Both>,
    end: mpsc::Sender<Both>,
}

/// The thread that drops the providers. It is there from the beginning, because the last to have them
/// may be a pool, which starts no thread when it is dropped.
pub(super) struct End {
    providers: mpsc::Sender<Both>,
    /// Ends with the thread.
    delivered: mpsc::Receiver<()>,
}

/// Dropped, it waits for the last data if the providers are gone, and not if anybody still has them.
#[derive(Debug)]
pub(super) struct LastData {
    providers: Weak<Providers>,
    /// Never locked: it makes the receiver one that threads may share.
    delivered: Mutex<mpsc::Receiver<()>>,
}

impl End {
    pub(super) fn start() -> io::Result<Self> {
        let (providers, dropped) = mpsc::channel::<Both>();
        let (delivering, delivered) = mpsc::channel();
        thread::Builder::new().name("pool-otlp-end".to_owned()).spawn(move || {
            drop(dropped.recv());
            drop::<mpsc::Sender<()>>(delivering);
        })?;
        Ok(Self { providers, delivered })
    }

    /// Takes on these.
    pub(super) fn of(
        self,
        meters: SdkMeterProvider,
        tracers: SdkTracerProvider,
    ) -> (Arc<Providers>, LastData) {
        let providers = Arc::new(Providers { both: Some((meters, tracers)), end: self.providers });
        let delivered = Mutex::new(self.delivered);
        let last_data = LastData { providers: Arc::downgrade(&providers), delivered };
        (providers, last_data)
    }
}

impl Providers {
    pub(super) fn meters(&self) -> &SdkMeterProvider {
        &self.both().0
    }

    pub(super) fn tracers(&self) -> &SdkTracerProvider {
        &self.both().1
    }

    fn both(&self) -> &Both {
        self.both.as_ref().expect("bug: they are being dropped")
    }
}

impl Drop for Providers {
    fn drop(&mut self) {
        if let Some(both) = self.both.take() {
            // The thread waits for nothing else.
            let _taken = self.end.send(both);
        }
    }
}

impl Drop for LastData {
    fn drop(&mut self) {
        if self.providers.strong_count() == 0 {
            let _delivered_or_late = self.delivered.get_mut().recv_timeout(PARTING);
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
