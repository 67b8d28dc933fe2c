//! The histograms themselves, as `HdrHistogram`'s tools read them: an interval log of version 1.3, with
//! one interval for each of them, told apart by its tag. Figures are nanoseconds; the longest of an
//! interval is in milliseconds, as these tools write it.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, anyhow};
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::report::{Histograms, Report};

/// What readers find the columns by.
const LEGEND: &str =
    "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";
/// What the longest latency of an interval is divided by.
const NANOSECONDS_IN_MILLISECOND: f64 = 1e6;

/// The log of a run that has its histograms still: they are not in JSON.
///
/// # Errors
///
/// It has none.
pub(crate) fn log(report: &Report) -> anyhow::Result<String> {
    let Some(Histograms { wait, service, response }) = &report.histograms else {
        return Err(anyhow!("the report has no histograms, only what was made of them"));
    };
    let began = Duration::from_secs(report.provenance.began_unix_seconds);
    let (mut log, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    IntervalLogWriterBuilder::new()
        .add_comment("[Logged with pool-loadtest; figures are nanoseconds]")
        .add_comment("[Histogram log format version 1.3]")
        .with_start_time(UNIX_EPOCH + began)
        .begin_log_with(&mut log, &mut serializer)
        .context("cannot write the log's head")?;
    log.extend_from_slice(LEGEND.as_bytes());
    let mut writer = IntervalLogWriterBuilder::new()
        .with_max_value_divisor(NANOSECONDS_IN_MILLISECOND)
        .begin_log_with(&mut log, &mut serializer)
        .context("cannot write the log")?;
    let length = Duration::try_from_secs_f64(report.duration_seconds).unwrap_or_default();
    for (tag, histogram) in [("wait", wait), ("service", service), ("response", response)] {
        let written = writer.write_histogram(histogram, Duration::ZERO, length, Tag::new(tag));
        written.with_context(|| format!("cannot write the histogram of {tag}"))?;
    }
    String::from_utf8(log).context("bug: a log is text")
}
