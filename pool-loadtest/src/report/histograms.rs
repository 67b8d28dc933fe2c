//! The histograms that a report's latencies are made from, while it is still in the process that
//! measured them.

use hdrhistogram::Histogram;

/// What was measured, in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Histograms {
    pub(crate) wait: Histogram<u64>,
    pub(crate) service: Histogram<u64>,
    pub(crate) response: Histogram<u64>,
}
