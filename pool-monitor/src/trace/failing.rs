//! What a span says of an error.

use std::error::Error;
use std::io;

use opentelemetry::KeyValue;
use opentelemetry::global::BoxedSpan;
use opentelemetry::trace::{Span as _, Status};
use pool_core::{AcquireErrorKind, AcquirePhase, DriverFault, ErrorClass};

use crate::causes::causes;
use crate::sql::beginning;

/// Bytes of a description.
const MOST_BYTES: usize = 1024;

/// Marks a span as failed: with the class of the error, and a description for a person.
pub(super) fn mark(span: &mut BoxedSpan, error_type: &str, description: &str) {
    span.set_attribute(KeyValue::new("error.type", error_type.to_owned()));
    span.set_status(Status::error(beginning(description, MOST_BYTES).to_owned()));
}

/// What the conventions call `error.type`: the database's code, or what kind of thing went wrong on
/// the way to it.
pub(super) fn error_type(
    error: &(dyn Error + 'static),
    code: Option<&str>,
    otherwise: &str,
) -> String {
    if let Some(code) = code {
        return code.to_owned();
    }
    let known = causes(error).find_map(|cause| {
        let network =
            || cause.downcast_ref::<io::Error>().map(|error| format!("{:?}", error.kind()));
        match cause.downcast_ref::<DriverFault>() {
            Some(DriverFault::TimedOut { .. }) => Some("timeout".to_owned()),
            Some(_) => Some("panic".to_owned()),
            None => network(),
        }
    });
    known.unwrap_or_else(|| otherwise.to_owned())
}

/// As telemetry writes it.
pub(super) fn class(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Transient => "transient",
        ErrorClass::Overloaded => "overloaded",
        ErrorClass::Permanent => "permanent",
        ErrorClass::RoleChanged => "role_changed",
        _ => "_OTHER",
    }
}

/// As telemetry writes it.
pub(super) fn kind(kind: AcquireErrorKind) -> &'static str {
    match kind {
        AcquireErrorKind::Timeout => "timeout",
        AcquireErrorKind::QueueFull => "queue_full",
        AcquireErrorKind::Closed => "closed",
        AcquireErrorKind::ConnectFailed => "connect_failed",
        AcquireErrorKind::NoRuntime => "no_runtime",
        _ => "_OTHER",
    }
}

/// As telemetry writes it.
pub(super) fn phase(phase: AcquirePhase) -> &'static str {
    match phase {
        AcquirePhase::Start => "start",
        AcquirePhase::Queued => "queued",
        AcquirePhase::Paused => "paused",
        AcquirePhase::Checking => "checking",
        AcquirePhase::Resetting => "resetting",
        AcquirePhase::Opening => "opening",
        AcquirePhase::BackingOff => "backing_off",
        _ => "_OTHER",
    }
}
