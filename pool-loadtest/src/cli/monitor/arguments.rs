//! What may be asked for, and what its help says.

use std::fmt;
use std::net::SocketAddr;

use clap::Args;

use super::tuner::TunerChoice;

const OTLP: &str = "Send the pool's metrics and traces to the OpenTelemetry collector at this URL";
const OTLP_LONG: &str = "\
Send the pool's metrics and traces to the OpenTelemetry collector at this URL, such as
http://localhost:4318, by HTTP; with OTEL_EXPORTER_OTLP_PROTOCOL=grpc by gRPC.

Metrics are sent every 5 seconds and at the end. The OTEL_* variables of the environment say
the rest, such as OTEL_EXPORTER_OTLP_HEADERS and OTEL_SERVICE_NAME. A collector that is down
does not fail the run; what was not delivered is said at the end, after at most 5 seconds.
Being watched costs the pool a little, which is in the figures of the report.

A run of a minute or longer with --otlp, --prometheus or --tuner has the monitor's advice in its
report";
const SAMPLE: &str = "Which part of the statements is traced, from 0 to 1 [default: 0.001]";
const SAMPLE_LONG: &str = "\
Which part of the statements is traced, from 0 to 1; without it, what OTEL_TRACES_SAMPLER
says, or one in a thousand: a load test makes more of them than a collector takes.

Connects, and acquires that failed or took 100 ms or longer, are all traced, up to 100 a
second, unless OTEL_TRACES_SAMPLER decides";
const PROMETHEUS: &str = "Serve the pool's metrics for Prometheus at this address";
const PROMETHEUS_LONG: &str = "\
Serve the pool's metrics for Prometheus at this address, such as 127.0.0.1:9187, under
/metrics. It must be one that only this machine reaches; port 0 is one that is free, and
standard error says which.

After the report the program goes on until it has been scraped once more, so that Prometheus
sees how the run ended, but for at most 15 seconds; a signal ends that at once";

const TUNER: &str = "What a tuner may do with the pool's size during the load";
const TUNER_LONG: &str = "\
What a tuner may do with the pool's size during the load. What it recommends, or has set, is in
the report with its reason; a run of less than half a minute tells it little.

On, it tries sizes up to the max_open that is configured: the figures are then of all of them";

#[derive(Args)]
pub(crate) struct MonitorArguments {
    #[arg(long, value_name = "URL", help = OTLP, long_help = OTLP_LONG)]
    pub(super) otlp: Option<String>,
    #[arg(long, value_name = "RATIO", help = SAMPLE, long_help = SAMPLE_LONG)]
    #[arg(requires = "otlp", allow_hyphen_values = true, value_parser = ratio)]
    pub(super) sample: Option<f64>,
    #[arg(long, value_name = "ADDRESS", help = PROMETHEUS, long_help = PROMETHEUS_LONG)]
    #[arg(value_parser = address)]
    pub(super) prometheus: Option<SocketAddr>,
    #[arg(long, value_name = "MODE", default_value = "off", help = TUNER, long_help = TUNER_LONG)]
    pub(super) tuner: TunerChoice,
}

/// Says nothing of the URL, which may have a password.
impl fmt::Debug for MonitorArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitorArguments")
            .field("sample", &self.sample)
            .field("prometheus", &self.prometheus)
            .field("tuner", &self.tuner)
            .finish_non_exhaustive()
    }
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| "allowed: a number from 0 to 1, such as 0.01".to_owned())
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let allowed = "allowed: an IP address and a port, such as 127.0.0.1:9187";
    text.parse().map_err(|_| allowed.to_owned())
}
