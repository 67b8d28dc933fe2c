//! Options and variables: which wins, and what is said of those that are wrong.

use pool_core::Secret;

use super::*;

type Outcome = Result<(Settings, Vec<Problem>), ConfigError>;

fn resolve(options: &OtlpOptions, variables: &[(&str, &str)]) -> Outcome {
    Settings::resolve(options, &|name| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| OsString::from(value))
    })
}

fn of_environment(variables: &[(&str, &str)]) -> Settings {
    let (settings, warnings) = resolve(&OtlpOptions::default(), variables).expect("settings");
    assert_eq!(warnings, []);
    settings
}

/// What is said of variables that are ignored, and what then holds.
fn ignoring(variables: &[(&str, &str)]) -> (Settings, Vec<String>) {
    let (settings, warnings) = resolve(&OtlpOptions::default(), variables).expect("settings");
    (settings, warnings.iter().map(ToString::to_string).collect())
}

fn problems(options: &OtlpOptions, variables: &[(&str, &str)]) -> Vec<String> {
    let error = resolve(options, variables).expect_err("problems");
    error.problems().iter().map(ToString::to_string).collect()
}

fn urls(settings: &Settings) -> [&str; 2] {
    [&settings.traces, &settings.metrics]
        .map(|target| target.as_ref().expect("sent").endpoint.url.as_str())
}

fn attribute(settings: &Settings, name: &str) -> Option<String> {
    let attributes = settings.resource.iter().rev();
    attributes.clone().find(|it| it.key.as_str() == name).map(|it| it.value.to_string())
}

#[test]
fn the_defaults_are_those_of_the_specification() {
    let settings = of_environment(&[]);
    let local = ["http://localhost:4318/v1/traces", "http://localhost:4318/v1/metrics"];
    assert_eq!(urls(&settings), local);
    let traces = settings.traces.as_ref().expect("sent");
    assert_eq!(
        (traces.protocol, traces.timeout),
        (Protocol::HttpProtobuf, Duration::from_secs(10))
    );
    assert_eq!((settings.span_queue, settings.span_batch), (2048, 512));
    assert_eq!(settings.span_delay, Duration::from_secs(5));
    assert_eq!(settings.metric_interval, Duration::from_mins(1));
    assert_eq!(settings.temporality, Temporality::Cumulative);
    assert_eq!(format!("{:?}", settings.sampler), "ParentBased(AlwaysOn)");
    let service = attribute(&settings, SERVICE_NAME).expect("a service");
    assert!(service.starts_with("unknown_service:"), "{service}");
}

#[test]
fn a_signals_own_variable_wins_over_that_for_all_and_names_its_whole_path() {
    let settings = of_environment(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:1/base/"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces:2/own"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "3000"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "4000"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1,b=2"),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "b=%C3%A4"),
    ]);
    assert_eq!(urls(&settings), ["https://traces:2/own", "http://all:1/base/v1/metrics"]);
    let (traces, metrics) = (settings.traces.expect("sent"), settings.metrics.expect("sent"));
    assert_eq!((traces.timeout.as_secs(), metrics.timeout.as_secs()), (3, 4));
    assert_eq!((traces.headers.len(), traces.headers["b"].as_bytes()), (2, &b"2"[..]));
    assert_eq!((metrics.headers.len(), metrics.headers["b"].as_bytes()), (1, "ä".as_bytes()));
}

#[test]
fn the_program_wins_over_the_environment() {
    let options = OtlpOptions {
        endpoint: Some("http://program:1".to_owned()),
        protocol: Some(Protocol::HttpProtobuf),
        headers: vec![("A".to_owned(), Secret::new("program"))],
        timeout: Some(Duration::from_secs(1)),
        service_name: Some("program".to_owned()),
        resource: vec![KeyValue::new("zone", "program")],
        metric_interval: Some(Duration::from_secs(2)),
        temporality: Some(Temporality::Delta),
        sampler: Some(Sampler::AlwaysOff),
        span_delay: Some(Duration::from_secs(3)),
        span_batch: Some(4),
        span_queue: Some(5),
        ..Default::default()
    };
    let variables = [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://environment:1"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=environment,b=environment"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "9000"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "9"),
        ("OTEL_SERVICE_NAME", "environment"),
        ("OTEL_RESOURCE_ATTRIBUTES", "zone=environment,rack=environment"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "9000"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "lowmemory"),
        ("OTEL_TRACES_SAMPLER", "always_on"),
        ("OTEL_BSP_SCHEDULE_DELAY", "9000"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "9"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "99"),
    ];
    let (settings, warnings) = resolve(&options, &variables).expect("settings");
    assert_eq!(warnings, []);
    assert_eq!(urls(&settings), ["http://program:1/v1/traces", "http://program:1/v1/metrics"]);
    let traces = settings.traces.as_ref().expect("sent");
    assert_eq!(traces.timeout, Duration::from_secs(1));
    assert_eq!(
        (&traces.headers["a"], &traces.headers["b"]),
        (&HeaderValue::from_static("program"), &HeaderValue::from_static("environment"),)
    );
    assert_eq!(attribute(&settings, SERVICE_NAME).as_deref(), Some("program"));
    assert_eq!(attribute(&settings, "zone").as_deref(), Some("program"));
    assert_eq!(attribute(&settings, "rack").as_deref(), Some("environment"));
    assert_eq!(settings.metric_interval, Duration::from_secs(2));
    assert_eq!(settings.temporality, Temporality::Delta);
    assert_eq!(format!("{:?}", settings.sampler), "AlwaysOff");
    assert_eq!(settings.span_delay, Duration::from_secs(3));
    assert_eq!((settings.span_batch, settings.span_queue), (4, 5));
}

#[test]
fn the_environment_can_be_left_alone() {
    let options = OtlpOptions { environment: Environment::Ignore, ..Default::default() };
    let variables = [("OTEL_SDK_DISABLED", "true"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "nonsense")];
    let (settings, _) = resolve(&options, &variables).expect("settings");
    assert!(settings.traces.is_some());
}

#[test]
fn a_service_is_named_by_its_own_variable_before_the_attributes() {
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=attribute, zone = a%2Cb");
    let settings = of_environment(&[attributes]);
    assert_eq!(attribute(&settings, SERVICE_NAME).as_deref(), Some("attribute"));
    assert_eq!(attribute(&settings, "zone").as_deref(), Some("a,b"));
    let settings = of_environment(&[attributes, ("OTEL_SERVICE_NAME", "named")]);
    assert_eq!(attribute(&settings, SERVICE_NAME).as_deref(), Some("named"));
}

#[test]
fn all_or_one_signal_can_be_switched_off() {
    let settings = of_environment(&[("OTEL_SDK_DISABLED", "True")]);
    assert!(settings.traces.is_none() && settings.metrics.is_none());
    assert_eq!(format!("{:?}", settings.sampler), "AlwaysOff");
    let settings =
        of_environment(&[("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "otlp")]);
    assert!(settings.traces.is_none() && settings.metrics.is_some());
}

#[test]
fn samplers_have_the_names_of_the_specification() {
    for (name, part, expected) in [
        ("always_off", "", "AlwaysOff"),
        ("ALWAYS_ON", "", "AlwaysOn"),
        ("traceidratio", "0.25", "TraceIdRatioBased(0.25)"),
        ("traceidratio", "", "TraceIdRatioBased(1.0)"),
        ("parentbased_always_off", "", "ParentBased(AlwaysOff)"),
        ("parentbased_traceidratio", "0.5", "ParentBased(TraceIdRatioBased(0.5))"),
    ] {
        let variables = [("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", part)];
        assert_eq!(format!("{:?}", of_environment(&variables).sampler), expected, "{name}");
    }
}

#[test]
fn a_shorter_limit_for_a_batch_wins() {
    let settings = of_environment(&[
        ("OTEL_BSP_EXPORT_TIMEOUT", "2000"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "60000"),
    ]);
    let (traces, metrics) = (settings.traces.expect("sent"), settings.metrics.expect("sent"));
    assert_eq!((traces.timeout.as_secs(), metrics.timeout.as_secs()), (2, 10));
}

#[test]
fn what_the_specification_says_to_ignore_is_ignored_with_one_warning_that_names_it() {
    for (name, value, allowed) in [
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "a number of milliseconds from 1 to 2147483647"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "htp", "http/protobuf or grpc"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", "none"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-1", "a number of milliseconds from 1 to 2147483647"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "2147483648", "a number of milliseconds from 1 to 2147483647"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "a whole number above 0"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096", "at most the 2048 spans that may wait"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1e3", "a number of milliseconds from 1 to 2147483647"),
        ("OTEL_SDK_DISABLED", "1", "true or false"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "otlp or none"),
        (
            "OTEL_TRACES_SAMPLER",
            "xray",
            "always_on, always_off, traceidratio, or one of them after parentbased_",
        ),
    ] {
        let (settings, warnings) = ignoring(&[(name, value)]);
        let expected =
            format!("{name} = {value:?}: not understood, so it is ignored; allowed: {allowed}");
        assert_eq!(warnings, [expected]);
        let default = of_environment(&[]);
        assert_eq!(format!("{settings:?}"), format!("{default:?}"), "{name}");
    }
}

#[test]
fn attributes_of_which_one_is_not_understood_are_all_ignored_and_not_shown() {
    let (settings, warnings) = ignoring(&[("OTEL_RESOURCE_ATTRIBUTES", "zone=a,hunter2")]);
    assert_eq!(attribute(&settings, "zone"), None);
    assert_eq!(
        warnings,
        ["OTEL_RESOURCE_ATTRIBUTES = \"(not shown)\": entry 2 is no name=value, so all of it is \
          ignored; allowed: name=value,name=value, percent-encoded"]
    );
}

#[test]
fn nothing_starts_with_what_would_go_nowhere_and_all_of_it_is_said_at_once() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "hunter2@collector"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "ftp://hunter2@collector"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key:hunter2"),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "api-key=hunter%0A2"),
    ];
    let said = problems(&OtlpOptions::default(), &variables);
    let url = "allowed: a URL such as http://collector:4318";
    let pairs = "allowed: name=value,name=value, percent-encoded";
    assert_eq!(
        said,
        [
            format!(
                "OTEL_EXPORTER_OTLP_HEADERS = \"(not shown)\": entry 1 is no name=value; {pairs}"
            ),
            format!(
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = \"(not shown)\": it has no scheme; {url}"
            ),
            format!(
                "OTEL_EXPORTER_OTLP_METRICS_HEADERS = \"(not shown)\": the value of api-key is none; {pairs}"
            ),
            format!(
                "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT = \"(not shown)\": its scheme is neither http nor https; {url}"
            ),
        ]
    );
}

#[test]
fn options_that_cannot_be_are_named() {
    let options = OtlpOptions {
        endpoint: Some("collector:4318".to_owned()),
        headers: vec![("no name".to_owned(), Secret::new("hunter2"))],
        timeout: Some(Duration::ZERO),
        metric_interval: Some(Duration::MAX),
        span_queue: Some(10),
        span_batch: Some(11),
        ..Default::default()
    };
    let said = problems(&options, &[]);
    assert_eq!(
        said,
        [
            "timeout = \"0ns\": not allowed; allowed: more than 0 and at most 24 days",
            "metric_interval = \"18446744073709551615.999999999s\": not allowed; allowed: more than 0 \
             and at most 24 days",
            "span_batch = \"11\": more than can wait; allowed: at most the 10 spans that may wait",
            "headers = \"(not shown)\": a name is none of a header; allowed: names and values of HTTP headers",
            "endpoint = \"(not shown)\": it has no scheme; allowed: a URL such as http://collector:4318",
        ]
    );
}

#[test]
fn a_protocol_that_is_known_but_not_spoken_is_no_matter_of_a_warning() {
    let said = problems(&OtlpOptions::default(), &[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")]);
    let expected =
        "OTEL_EXPORTER_OTLP_PROTOCOL = \"http/json\": not supported; allowed: http/protobuf";
    assert_eq!(said, [expected]);
}

#[cfg(not(feature = "otlp-grpc"))]
#[test]
fn grpc_without_its_feature_says_which_one_is_missing() {
    let said = problems(&OtlpOptions::default(), &[("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc")]);
    assert_eq!(
        said,
        ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL = \"grpc\": needs the feature `otlp-grpc` of \
                       pool-monitor; allowed: http/protobuf"]
    );
}

#[cfg(feature = "otlp-grpc")]
#[test]
fn grpc_takes_the_url_as_it_is_and_needs_no_scheme() {
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let settings = of_environment(&[grpc]);
    assert_eq!(urls(&settings), ["http://localhost:4317/"; 2]);
    assert_eq!(settings.traces.expect("sent").protocol, Protocol::Grpc);
    let settings = of_environment(&[
        grpc,
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
        ("OTEL_EXPORTER_OTLP_METRICS_INSECURE", "true"),
    ]);
    assert_eq!(urls(&settings), ["https://collector:4317/", "http://collector:4317/"]);
}

#[test]
fn a_user_in_the_url_is_sent_as_a_header_unless_there_is_one() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:hunter2@collector");
    let own = ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "authorization=Bearer%20x");
    let settings = of_environment(&[endpoint, own]);
    assert!(!format!("{settings:?}").contains("hunter2"), "{settings:?}");
    let (traces, metrics) = (settings.traces.expect("sent"), settings.metrics.expect("sent"));
    assert_eq!(traces.headers[AUTHORIZATION], "Basic bWU6aHVudGVyMg==");
    assert_eq!(metrics.headers[AUTHORIZATION], "Bearer x");
}
