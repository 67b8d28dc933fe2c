//! Makes a span of what it is told.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::global::{BoxedSpan, BoxedTracer};
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, Tracer as _};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value, time};
use pool_core::{
    AcquireCancelled, AcquireError, AcquireFailed, AcquireSucceeded, CallSite, ConnectionOpened,
    ControlHandle, Frequent, Observer, OpenFailed, PoolConfig, Served, SqlComment,
    StatementFinished, StatementOutcome, StatementStarted,
};

use super::database::Database;
use super::running::{Running, Statement};
use super::{TraceOptions, failing, parent};
use crate::causes::in_one_line;
use crate::sql::{Dialect, Statement as Sql};

/// Traces one pool.
pub(super) struct Tracing {
    /// Before the tracer, for fields are dropped in their order: a span holds the provider too, and if
    /// it were the last that does, the SDK would shut down on the thread that drops this.
    running: Running,
    /// `None` if no provider is there.
    tracer: Option<Arc<BoxedTracer>>,
    options: TraceOptions,
    database: Database,
}

impl Tracing {
    pub(super) fn of(
        pool: &ControlHandle,
        tracer: Option<Arc<BoxedTracer>>,
        options: &TraceOptions,
    ) -> Self {
        let (options, database) = (options.clone(), Database::of(&**pool));
        Self { running: Running::default(), tracer, options, database }
    }

    /// Begins a span, if it is recorded. What it costs to describe comes after that is known; a
    /// sampler sees the parent, the kind, the system, and for a name which of the three spans it is.
    fn begin(
        &self,
        which: &'static str,
        kind: SpanKind,
        started: SystemTime,
        parent: &Context,
    ) -> Option<BoxedSpan> {
        let builder = SpanBuilder {
            span_kind: Some(kind),
            start_time: Some(started),
            attributes: Some(vec![self.database.system.clone()]),
            ..SpanBuilder::from_name(which)
        };
        let mut span = self.tracer.as_ref()?.build_with_context(builder, parent);
        if !span.is_recording() {
            return None;
        }
        self.database.describe(&mut span);
        Some(span)
    }

    /// Begins the span of what `took` so long until now.
    fn begin_past(
        &self,
        which: &'static str,
        kind: SpanKind,
        took: Duration,
        parent: &Context,
    ) -> Option<BoxedSpan> {
        let now = time::now();
        self.begin(which, kind, now.checked_sub(took).unwrap_or(now), parent)
    }

    fn begin_statement(&self, text: Option<&str>, parent: &Context) -> Option<Statement> {
        let started = time::now();
        let mut span = self.begin("statement", SpanKind::Client, started, parent)?;
        let sql = text.map(|text| Sql::read(text, self.database.dialect));
        let said = sql.as_ref().map(Sql::summary).filter(|said| !said.is_empty());
        span.update_name(said.clone().unwrap_or_else(|| self.database.target.clone()));
        if let Some(said) = said {
            span.set_attribute(KeyValue::new("db.query.summary", said));
        }
        if let Some(sql) = sql.filter(|_| self.options.query_text) {
            span.set_attribute(KeyValue::new("db.query.text", sql.masked()));
        }
        Some(Statement { span, started })
    }

    fn begin_connect(&self, took: Duration) -> Option<BoxedSpan> {
        let mut span = self.begin_past("connect", SpanKind::Client, took, &Context::new())?;
        span.update_name(format!("connect {}", self.database.target));
        Some(span)
    }

    /// Begins the span of an acquire that waited so long until now.
    fn begin_acquire(&self, pool: &str, site: CallSite, waited: Duration) -> Option<BoxedSpan> {
        let mut span =
            self.begin_past("acquire", SpanKind::Internal, waited, &parent::sampled()?)?;
        span.update_name(format!("acquire {pool}"));
        span.set_attribute(KeyValue::new("code.file.path", site.file()));
        span.set_attribute(KeyValue::new("code.line.number", i64::from(site.line())));
        Some(span)
    }

    fn is_slow(&self, waited: Duration) -> bool {
        self.tracer.is_some() && self.options.slow_acquire.is_some_and(|slow| waited >= slow)
    }
}

impl Observer for Tracing {
    fn frequent(&self) -> Frequent {
        match (&self.tracer, self.options.slow_acquire) {
            (None, _) => Frequent::NONE,
            (Some(_), None) => Frequent::STATEMENTS,
            (Some(_), Some(_)) => Frequent::STATEMENTS | Frequent::ACQUIRE_SUCCEEDED,
        }
    }

    fn acquire_succeeded(&self, event: &AcquireSucceeded<'_>) {
        // What is served at once is never slow, however short that is.
        if event.served == Served::Immediate || !self.is_slow(event.waited) {
            return;
        }
        let outcome = if event.served == Served::Opened { "opened" } else { "waited" };
        if let Some(mut span) = self.begin_acquire(event.pool, event.site, event.waited) {
            span.set_attribute(KeyValue::new("pool.acquire.outcome", outcome));
        }
    }

    fn acquire_failed(&self, event: &AcquireFailed<'_>) {
        let details = event.error.details();
        if let Some(mut span) = self.begin_acquire(event.pool, details.site, details.waited) {
            span.set_attribute(KeyValue::new("pool.acquire.outcome", "failed"));
            explain(&mut span, event.error);
        }
    }

    fn acquire_cancelled(&self, event: &AcquireCancelled<'_>) {
        if !self.is_slow(event.waited) {
            return;
        }
        if let Some(mut span) = self.begin_acquire(event.pool, event.site, event.waited) {
            span.set_attribute(KeyValue::new("pool.acquire.outcome", "cancelled"));
            failing::mark(&mut span, "cancelled", "given up by its caller");
        }
    }

    fn opened(&self, event: &ConnectionOpened<'_>) {
        drop(self.begin_connect(event.took));
    }

    fn open_failed(&self, event: &OpenFailed<'_>) {
        let Some(mut span) = self.begin_connect(event.took) else { return };
        let class = failing::class(event.class);
        let error_type = failing::error_type(event.error, event.code, class);
        span.set_attribute(KeyValue::new("pool.connect.error_class", class));
        span.set_attribute(KeyValue::new("pool.connect.attempts", i64::from(event.attempts)));
        say_code(&mut span, event.code);
        // Errors of connects say nothing secret, by the contract of drivers. A driver that is not made
        // for a database of its own passes on what others say.
        if self.database.dialect == Dialect::Other {
            failing::mark(&mut span, &error_type, &error_type);
        } else {
            failing::mark(&mut span, &error_type, &in_one_line(event.error));
        }
    }

    fn statement_started(&self, event: &StatementStarted<'_>) {
        if self.tracer.is_none() {
            return;
        }
        let Some(parent) = parent::sampled() else { return };
        if let Some(statement) = self.begin_statement(event.text, &parent) {
            self.running.insert(event.statement_id, statement);
        }
    }

    fn sql_comment(&self, statement_id: u64, comment: &mut SqlComment) {
        if !self.options.comments {
            return;
        }
        let traceparent = self.running.look(statement_id, |span| {
            let context = span.span_context();
            let (trace, span) = (context.trace_id(), context.span_id());
            format!("00-{trace}-{span}-{:02x}", context.trace_flags().to_u8())
        });
        if let Some(traceparent) = traceparent {
            comment.add("traceparent", &traceparent);
        }
    }

    fn statement_finished(&self, event: &StatementFinished<'_>) {
        let Some(Statement { mut span, started }) = self.running.remove(event.statement_id) else {
            return;
        };
        match event.outcome {
            StatementOutcome::Ok => {}
            StatementOutcome::Failed { error, code } => {
                say_code(&mut span, code);
                let error_type = failing::error_type(error, code, "_OTHER");
                let description = match code {
                    Some(code) => format!("the database says {code}"),
                    None => error_type.clone(),
                };
                failing::mark(&mut span, &error_type, &description);
            }
            _ => failing::mark(&mut span, "cancelled", "given up by its caller"),
        }
        span.end_with_timestamp(started + event.took);
    }
}

fn say_code(span: &mut BoxedSpan, code: Option<&str>) {
    if let Some(code) = code {
        span.set_attribute(KeyValue::new("db.response.status_code", code.to_owned()));
    }
}

/// Says of a failed acquire's span what the error says.
fn explain(span: &mut BoxedSpan, error: &AcquireError) {
    let details = error.details();
    let circumstances = &details.circumstances;
    let stats = &circumstances.stats;
    span.set_attribute(KeyValue::new("pool.acquire.phase", failing::phase(details.phase)));
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    for (key, value) in [
        ("pool.in_use", stats.in_use),
        ("pool.opening", stats.opening),
        ("pool.waiting", stats.waiting),
    ] {
        span.set_attribute(KeyValue::new(key, count(value)));
    }
    if stats.max_open != PoolConfig::UNLIMITED {
        span.set_attribute(KeyValue::new("pool.max_open", count(stats.max_open)));
    }
    let holders: Vec<StringValue> =
        circumstances.holders.iter().map(|holder| holder.to_string().into()).collect();
    if !holders.is_empty() {
        span.set_attribute(KeyValue::new("pool.holders", Value::Array(Array::String(holders))));
    }
    if let Some(connects) = &circumstances.connects {
        let class = failing::class(connects.class);
        span.set_attribute(KeyValue::new("pool.connect.error_class", class));
    }
    failing::mark(span, failing::kind(details.kind), &error.to_string());
}
