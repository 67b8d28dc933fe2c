//! Real receivers of telemetry for tests, on loopback, on free ports: what they received, they tell.
//!
//! ```
//! use std::time::Duration;
//! use pool_testkit::receivers::{HttpSink, Reply};
//!
//! let sink = HttpSink::start()?;
//! sink.answer([Reply::retry_after(429, 1)]);
//! // ... something is sent to `sink.url("/hook")`
//! # use std::{io::Write, net::TcpStream};
//! # let mut client = TcpStream::connect(sink.address()).unwrap();
//! # client.write_all(b"POST /hook HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi").unwrap();
//! let request = sink.next(Duration::from_secs(10))?;
//! assert_eq!((&*request.path, &*request.body), ("/hook", &b"hi"[..]));
//! # Ok::<(), pool_testkit::receivers::ReceiverError>(())
//! ```
//!
//! Everything here blocks, at most for the bound it is given. What is a program of somebody else is
//! fetched and ended as [`servers`](crate::servers) are.

mod alertmanager;
mod ask;
mod collector;
mod daemon;
mod error;
mod http;
mod mail;
mod prometheus;
pub(crate) mod tool;
mod webhook;

pub use self::alertmanager::{Alert, Alertmanager};
pub use self::collector::{
    Attribute, Attributes, Buckets, Collector, Event, Kind, Point, Span, Telemetry, Temporality,
    Value,
};
pub use self::error::ReceiverError;
pub use self::http::{HttpSink, Reply, Request};
pub use self::mail::{Mail, MailSink};
pub use self::prometheus::{Prometheus, Promtool, Sample, Scraping, Series};
pub use self::tool::{Tool, python};
pub use self::webhook::{Verdict, verify_webhook};
