//! What exporters do, from what the program and the environment say; the program wins.
//!
//! That is the specification's order for the resource, and ours for everything: who wrote it into the
//! program meant it. Of two variables the signal's own wins over the one for all.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::trace::Sampler;
use pool_core::{ConfigError, Problem};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::endpoint::Endpoint;
use super::environment::{LONGEST, Variables, pairs};
use super::options::{Environment, OtlpOptions, Protocol};

const SERVICE_NAME: &str = "service.name";

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    /// The signal's own variable, and the one for all signals.
    fn variables(self, what: &str) -> [String; 2] {
        let signal = self.to_string().to_uppercase();
        [format!("OTEL_EXPORTER_OTLP_{signal}_{what}"), format!("OTEL_EXPORTER_OTLP_{what}")]
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        })
    }
}

/// Where one signal is sent, and how.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) protocol: Protocol,
    pub(super) endpoint: Endpoint,
    /// Their values are marked as sensitive, so that they do not print themselves.
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
    pub(super) files: TlsFiles,
}

/// The PEM files of a target, each with the option or variable that named it.
#[derive(Debug)]
pub(super) struct TlsFiles {
    pub(super) trusted: Option<(String, PathBuf)>,
    pub(super) certificate: Option<(String, PathBuf)>,
    pub(super) key: Option<(String, PathBuf)>,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Settings {
    /// Nothing if traces are not to be sent.
    pub(super) traces: Option<Target>,
    /// Nothing if metrics are not to be sent.
    pub(super) metrics: Option<Target>,
    pub(super) resource: Vec<KeyValue>,
    pub(super) sampler: Sampler,
    pub(super) span_delay: Duration,
    pub(super) span_batch: usize,
    pub(super) span_queue: usize,
    pub(super) metric_interval: Duration,
    pub(super) temporality: Temporality,
}

impl Settings {
    /// Reads all of it, with a warning for each variable that was ignored.
    pub(super) fn resolve(
        options: &OtlpOptions,
        lookup: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<(Self, Vec<Problem>), ConfigError> {
        let nothing = |_: &str| None;
        let mut variables = Variables::new(match options.environment {
            Environment::Read => lookup,
            Environment::Ignore => &nothing,
        });
        let mut reader = Reader { options, variables: &mut variables };
        reader.refuse_what_cannot_be();
        let is_disabled = reader.variables.is_true(&["OTEL_SDK_DISABLED".to_owned()]);
        let settings = if is_disabled { reader.disabled() } else { reader.settings() };
        let Variables { warnings, problems, .. } = variables;
        ConfigError::from_problems(once_each(problems))?;
        Ok((settings, once_each(warnings)))
    }
}

struct Reader<'a, 'v> {
    options: &'a OtlpOptions,
    variables: &'a mut Variables<'v>,
}

impl Reader<'_, '_> {
    fn disabled(&mut self) -> Settings {
        let mut settings = self.settings_of(|_, _| None);
        settings.sampler = Sampler::AlwaysOff;
        settings
    }

    fn settings(&mut self) -> Settings {
        self.settings_of(|reader, signal| reader.is_sent(signal).then(|| reader.target(signal))?)
    }

    fn settings_of(&mut self, target: impl Fn(&mut Self, Signal) -> Option<Target>) -> Settings {
        let (span_queue, span_batch) = self.span_limits();
        let delay = ["OTEL_BSP_SCHEDULE_DELAY".to_owned()];
        let interval = ["OTEL_METRIC_EXPORT_INTERVAL".to_owned()];
        let delay = self.options.span_delay.or_else(|| self.variables.milliseconds(&delay));
        let interval =
            self.options.metric_interval.or_else(|| self.variables.milliseconds(&interval));
        Settings {
            traces: target(self, Signal::Traces),
            metrics: target(self, Signal::Metrics),
            resource: self.resource(),
            sampler: self.sampler(),
            span_delay: delay.unwrap_or(Duration::from_secs(5)),
            span_batch,
            span_queue,
            metric_interval: interval.unwrap_or(Duration::from_mins(1)),
            temporality: self.temporality(),
        }
    }

    /// Zero would mean never, or without end.
    fn refuse_what_cannot_be(&mut self) {
        let options = self.options;
        for (name, time) in [
            ("timeout", options.timeout),
            ("metric_interval", options.metric_interval),
            ("span_delay", options.span_delay),
        ] {
            if let Some(time) = time.filter(|time| time.is_zero() || *time > LONGEST) {
                let allowed = "more than 0 and at most 24 days";
                let problem = Problem::invalid(name, format!("{time:?}"), "not allowed", allowed);
                self.variables.problems.push(problem);
            }
        }
        for (name, count) in
            [("span_batch", options.span_batch), ("span_queue", options.span_queue)]
        {
            if count == Some(0) {
                let problem = Problem::invalid(name, "0", "not allowed", "more than 0");
                self.variables.problems.push(problem);
            }
        }
    }

    fn is_sent(&mut self, signal: Signal) -> bool {
        let name = format!("OTEL_{}_EXPORTER", signal.to_string().to_uppercase());
        self.variables
            .first_read(&[name], "otlp or none", |text| match text.to_lowercase().as_str() {
                "otlp" => Some(true),
                "none" => Some(false),
                _ => None,
            })
            .unwrap_or(true)
    }

    /// Nothing if there is a problem, which has been noted.
    fn target(&mut self, signal: Signal) -> Option<Target> {
        let protocol = self.protocol(signal)?;
        self.refuse_compression(signal);
        let files = self.tls_files(signal);
        let timeout = self.timeout(signal);
        let headers = self.headers(signal);
        let endpoint = self.endpoint(signal, protocol);
        let (mut headers, endpoint) = (headers?, endpoint?);
        if let Some(authorization) = &endpoint.authorization
            && !headers.contains_key(AUTHORIZATION)
        {
            let value = sensitive(authorization.expose()).expect("bug: Base64 is no header");
            headers.insert(AUTHORIZATION, value);
        }
        Some(Target { protocol, endpoint, headers, timeout, files })
    }

    fn protocol(&mut self, signal: Signal) -> Option<Protocol> {
        if let Some(protocol) = self.options.protocol {
            return Some(protocol);
        }
        let names = signal.variables("PROTOCOL");
        let set = self.variables.first_read(&names, "http/protobuf or grpc", |text| {
            Some(text.to_lowercase())
                .filter(|text| matches!(text.as_str(), "http/protobuf" | "http/json" | "grpc"))
        });
        match set.as_deref() {
            None | Some("http/protobuf") => Some(Protocol::HttpProtobuf),
            #[cfg(feature = "otlp-grpc")]
            Some("grpc") => Some(Protocol::Grpc),
            Some(other) => {
                let why = match other {
                    "grpc" => "needs the feature `otlp-grpc` of pool-monitor",
                    _ => "not supported",
                };
                let name = names.into_iter().find(|name| self.variables.text(name).is_some());
                let name = name.unwrap_or_default();
                let problem = Problem::invalid(name, other, why, "http/protobuf");
                self.variables.problems.push(problem);
                None
            }
        }
    }

    fn refuse_compression(&mut self, signal: Signal) {
        let names = signal.variables("COMPRESSION");
        let _none = self
            .variables
            .first_read(&names, "none", |text| text.eq_ignore_ascii_case("none").then_some(()));
    }

    fn endpoint(&mut self, signal: Signal, protocol: Protocol) -> Option<Endpoint> {
        let [own, general] = signal.variables("ENDPOINT");
        let given = match &self.options.endpoint {
            Some(endpoint) => Some(("endpoint".to_owned(), endpoint.clone())),
            None => self.variables.first(&[own.clone(), general]),
        };
        let default = match protocol {
            Protocol::HttpProtobuf => "http://localhost:4318",
            #[cfg(feature = "otlp-grpc")]
            Protocol::Grpc => "http://localhost:4317",
        };
        let (name, text) = given.unwrap_or_else(|| (String::new(), default.to_owned()));
        match Endpoint::parse(&self.with_scheme(text, signal, protocol)) {
            Ok(endpoint) if protocol == Protocol::HttpProtobuf && name != own => {
                Some(endpoint.joined(&format!("/v1/{signal}")))
            }
            Ok(endpoint) => Some(endpoint),
            Err(why) => {
                let allowed = "a URL such as http://collector:4318";
                self.variables.problems.push(Problem::not_shown(name, why, allowed));
                None
            }
        }
    }

    /// For gRPC, host and port are enough.
    fn with_scheme(&mut self, text: String, signal: Signal, protocol: Protocol) -> String {
        if protocol == Protocol::HttpProtobuf || text.contains("://") {
            return text;
        }
        let is_plain = self.variables.is_true(&signal.variables("INSECURE"));
        format!("{}://{text}", if is_plain { "http" } else { "https" })
    }

    fn headers(&mut self, signal: Signal) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        let mut is_good = true;
        let allowed = "name=value,name=value, percent-encoded";
        if let Some((variable, text)) = self.variables.first(&signal.variables("HEADERS")) {
            let added = pairs(&text).and_then(|pairs| {
                pairs.iter().try_for_each(|(name, value)| add(&mut headers, name, value))
            });
            if let Err(why) = added {
                self.variables.problems.push(Problem::not_shown(variable, why, allowed));
                is_good = false;
            }
        }
        for (name, value) in &self.options.headers {
            if let Err(why) = add(&mut headers, name, value.expose()) {
                let allowed = "names and values of HTTP headers";
                self.variables.problems.push(Problem::not_shown("headers", why, allowed));
                is_good = false;
            }
        }
        is_good.then_some(headers)
    }

    /// One export's: what the exporter and what the batch are allowed, whichever is shorter.
    fn timeout(&mut self, signal: Signal) -> Duration {
        if let Some(timeout) = self.options.timeout {
            return timeout;
        }
        let batch = match signal {
            Signal::Traces => "OTEL_BSP_EXPORT_TIMEOUT",
            Signal::Metrics => "OTEL_METRIC_EXPORT_TIMEOUT",
        };
        let export = self.variables.milliseconds(&signal.variables("TIMEOUT"));
        let batch = self.variables.milliseconds(&[batch.to_owned()]);
        export.unwrap_or(Duration::from_secs(10)).min(batch.unwrap_or(Duration::from_secs(30)))
    }

    fn tls_files(&mut self, signal: Signal) -> TlsFiles {
        let options = self.options;
        let mut file = |name: &str, option: &Option<PathBuf>, variable| match option {
            Some(path) => Some((name.to_owned(), path.clone())),
            None => {
                let named = self.variables.first(&signal.variables(variable));
                named.map(|(name, path)| (name, path.into()))
            }
        };
        TlsFiles {
            trusted: file("trusted_certificates", &options.trusted_certificates, "CERTIFICATE"),
            certificate: file(
                "client_certificate",
                &options.client_certificate,
                "CLIENT_CERTIFICATE",
            ),
            key: file("client_key", &options.client_key, "CLIENT_KEY"),
        }
    }

    fn span_limits(&mut self) -> (usize, usize) {
        let name = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE";
        let queue = self.options.span_queue;
        let queue = queue.or_else(|| self.variables.count("OTEL_BSP_MAX_QUEUE_SIZE"));
        let queue = queue.unwrap_or(2048);
        let allowed = format!("at most the {queue} spans that may wait");
        let why = "more than can wait";
        match self.options.span_batch {
            Some(batch) if batch > queue => {
                let batch = batch.to_string();
                let problem = Problem::invalid("span_batch", batch, why, allowed);
                self.variables.problems.push(problem);
                (queue, queue)
            }
            Some(batch) => (queue, batch),
            None => {
                let batch = self.variables.first_read(&[name.to_owned()], &allowed, |text| {
                    text.parse().ok().filter(|batch| (1..=queue).contains(batch))
                });
                (queue, batch.unwrap_or(512.min(queue)))
            }
        }
    }

    fn temporality(&mut self) -> Temporality {
        let name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE".to_owned();
        let allowed = "cumulative, delta or lowmemory";
        let set = self.options.temporality;
        let set =
            set.or_else(|| self.variables.first_read(&[name], allowed, |text| text.parse().ok()));
        set.unwrap_or_default()
    }

    fn sampler(&mut self) -> Sampler {
        if let Some(sampler) = &self.options.sampler {
            return sampler.clone();
        }
        let allowed = "always_on, always_off, traceidratio, or one of them after parentbased_";
        let name = "OTEL_TRACES_SAMPLER".to_owned();
        let set = self.variables.first_read(&[name], allowed, |text| {
            let text = text.to_lowercase();
            let root = text.strip_prefix("parentbased_").unwrap_or(&text);
            let is_known = matches!(root, "always_on" | "always_off" | "traceidratio");
            is_known.then(|| (root.to_owned(), root != text))
        });
        let (root, follows_parent) = set.unwrap_or_else(|| ("always_on".to_owned(), true));
        let root = match root.as_str() {
            "always_off" => Sampler::AlwaysOff,
            "traceidratio" => Sampler::TraceIdRatioBased(self.sampled_part()),
            _ => Sampler::AlwaysOn,
        };
        if follows_parent { Sampler::ParentBased(Box::new(root)) } else { root }
    }

    fn sampled_part(&mut self) -> f64 {
        let name = "OTEL_TRACES_SAMPLER_ARG".to_owned();
        let part = self.variables.first_read(&[name], "a number from 0 to 1", |text| {
            text.parse().ok().filter(|part| (0.0..=1.0).contains(part))
        });
        part.unwrap_or(1.0)
    }

    fn resource(&mut self) -> Vec<KeyValue> {
        let mut resource = vec![KeyValue::new(SERVICE_NAME, unknown_service())];
        let name = "OTEL_RESOURCE_ATTRIBUTES";
        if let Some(text) = self.variables.text(name) {
            match pairs(&text) {
                Ok(pairs) => resource.extend(pairs.into_iter().map(|(k, v)| KeyValue::new(k, v))),
                Err(why) => {
                    let why = format!("{why}, so all of it is ignored");
                    let allowed = "name=value,name=value, percent-encoded";
                    self.variables.warnings.push(Problem::not_shown(name, why, allowed));
                }
            }
        }
        let service = self.variables.text("OTEL_SERVICE_NAME");
        resource.extend(service.map(|name| KeyValue::new(SERVICE_NAME, name)));
        resource.extend(self.options.resource.iter().cloned());
        let service = self.options.service_name.clone();
        resource.extend(service.map(|name| KeyValue::new(SERVICE_NAME, name)));
        resource
    }
}

/// A variable for all signals is read for each.
fn once_each(problems: Vec<Problem>) -> Vec<Problem> {
    problems.into_iter().fold(Vec::new(), |mut once, problem| {
        if !once.contains(&problem) {
            once.push(problem);
        }
        once
    })
}

/// As the specification wants it where nobody names the service.
fn unknown_service() -> String {
    let program = std::env::current_exe().ok();
    let name = program.as_deref().and_then(|path| path.file_name()?.to_str());
    name.map_or_else(|| "unknown_service".to_owned(), |name| format!("unknown_service:{name}"))
}

/// The error repeats neither name nor value: what cannot be a header may be a key in the wrong place.
fn add(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let name = HeaderName::try_from(name).map_err(|_| "a name is none of a header".to_owned())?;
    let value = sensitive(value).ok_or_else(|| format!("the value of {name} is none"))?;
    headers.insert(name, value);
    Ok(())
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests;
