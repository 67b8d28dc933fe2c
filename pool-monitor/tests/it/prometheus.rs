//! The endpoint for scrapers: what Prometheus makes of it, and what hostile clients get.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use pool_core::Secret;
use pool_monitor::prometheus::{Buckets, Family, Labels, Samples};
use pool_monitor::{PrometheusEndpoint, PrometheusError, PrometheusOptions};
use pool_testkit::receivers::{Prometheus, Promtool, Scraping};

const AGES: Duration = Duration::from_mins(1);
const TOKEN: &str = "canary-0123456789";

/// Names that want escaping, and a kind each.
fn families() -> Vec<Family> {
    let pool =
        |name: &str| [("pool".into(), name.to_owned().into())].into_iter().collect::<Labels>();
    let buckets = Buckets { bounds: vec![0.001, 1.0].into(), counts: vec![98, 1, 1], sum: 31.0 };
    vec![
        Family {
            name: "pool_timeouts_total".to_owned(),
            help: "Timeouts, \"all\" \\ of\nthem".to_owned(),
            unit: None,
            samples: Samples::Counter(vec![(pool("a \"b\" \\ c\nd"), 7.0)]),
        },
        Family {
            name: "pool_open".to_owned(),
            help: "Open connections".to_owned(),
            unit: None,
            samples: Samples::Gauge(vec![(pool("orders"), 3.0), (Labels::default(), 0.25)]),
        },
        Family {
            name: "pool_wait_seconds".to_owned(),
            help: "Waits".to_owned(),
            unit: Some("seconds"),
            samples: Samples::Histogram(vec![(pool("orders"), buckets)]),
        },
    ]
}

fn options() -> PrometheusOptions {
    let address = "127.0.0.1:0".parse().expect("an address");
    PrometheusOptions { address, ..PrometheusOptions::default() }
}

fn endpoint() -> PrometheusEndpoint {
    PrometheusEndpoint::start(&options(), families).expect("started")
}

fn connect(endpoint: &PrometheusEndpoint) -> TcpStream {
    let stream = TcpStream::connect(endpoint.address()).expect("it listens");
    stream.set_read_timeout(Some(AGES)).expect("set");
    stream
}

/// All that comes until the connection is closed.
fn rest(stream: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        // Closed with something unread, as is what was refused.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        read => drop(read.expect("closed within the bound")),
    }
    String::from_utf8(rest).expect("text")
}

/// The answer to a request with these header lines.
pub(crate) fn get(endpoint: &PrometheusEndpoint, path: &str, headers: &str) -> String {
    let mut stream = connect(endpoint);
    let request = format!("GET {path} HTTP/1.1\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    rest(&mut stream)
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("closed")
}

pub(crate) const HERE: &str = "Host: localhost\r\n";

#[test]
fn prometheus_scrapes_what_is_told_with_its_token() {
    let options = PrometheusOptions { token: Some(Secret::new(TOKEN)), ..options() };
    let endpoint = PrometheusEndpoint::start(&options, families).expect("started");
    let targets = vec![endpoint.address()];
    let scraping = Scraping { targets, token: Some(TOKEN.to_owned()), ..Scraping::default() };
    let prometheus = Prometheus::start(&scraping).expect("started");
    let open = prometheus.wait_for("pool_open{pool=\"orders\"} == 3", AGES).expect("scraped");
    assert_eq!(open.len(), 1);
    let timeouts = prometheus.query("pool_timeouts_total").expect("an expression");
    assert_eq!(timeouts[0].labels["pool"], "a \"b\" \\ c\nd");
    for truth in [
        "histogram_quantile(0.99, sum by (le) (pool_wait_seconds_bucket)) == 1",
        "pool_wait_seconds_sum / pool_wait_seconds_count == 0.31",
    ] {
        assert_eq!(prometheus.query(truth).expect("an expression").len(), 1, "{truth}");
    }
}

#[test]
fn promtool_has_nothing_to_say_of_what_is_told() {
    let answer = get(&endpoint(), "/metrics", HERE);
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    Promtool::find().expect("it is there").check_metrics(body).expect("right");
}

#[test]
fn who_asks_for_openmetrics_gets_it() {
    let accept = format!("{HERE}Accept: application/openmetrics-text;version=1.0.0\r\n");
    let answer = get(&endpoint(), "/metrics", &accept);
    assert!(answer.contains("application/openmetrics-text; version=1.0.0"), "{answer}");
    assert!(answer.ends_with("# EOF\n"), "{answer}");
}

#[test]
fn who_is_not_meant_is_refused() {
    let options = PrometheusOptions { token: Some(Secret::new(TOKEN)), ..options() };
    let endpoint = PrometheusEndpoint::start(&options, families).expect("started");
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    let ask = |path, headers: &str| get(&endpoint, path, headers);
    assert_eq!(status(&ask("/metrics", &format!("{HERE}{token}"))), "200");
    let stranger = ask("/metrics", &format!("Host: evil.example\r\n{token}"));
    assert_eq!(status(&stranger), "403");
    let unknown = ask("/metrics", HERE);
    assert_eq!(status(&unknown), "401");
    assert!(unknown.contains("www-authenticate: Bearer"), "{unknown}");
    assert_eq!(status(&ask("/", &format!("{HERE}{token}"))), "404");
    for answer in [stranger, unknown, format!("{endpoint:?} {options:?}")] {
        assert!(!answer.contains("canary"), "{answer}");
    }
}

#[test]
fn a_client_that_takes_its_time_is_closed_and_holds_nobody_up() {
    let endpoint = endpoint();
    let mut slow = connect(&endpoint);
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: loc").expect("sent");
    let mut silent = connect(&endpoint);
    assert_eq!(status(&get(&endpoint, "/metrics", HERE)), "200");
    let begun = std::time::Instant::now();
    assert_ne!(status(&rest(&mut slow)), "200");
    assert_eq!(status(&rest(&mut silent)), "closed");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn headers_that_are_too_long_or_no_http_are_refused() {
    let endpoint = endpoint();
    let long = format!("{HERE}X-Long: {}\r\n", "x".repeat(16 * 1024));
    assert_eq!(status(&get(&endpoint, "/metrics", &long)), "431");
    let many = format!("{HERE}{}", "X: y\r\n".repeat(500));
    assert_eq!(status(&get(&endpoint, "/metrics", &many)), "431");
    let mut stream = connect(&endpoint);
    stream.write_all(b"\x16\x03\x01\x02\x00\x01 no HTTP at all\r\n\r\n").expect("sent");
    assert_ne!(status(&rest(&mut stream)), "200");
    assert_eq!(status(&get(&endpoint, "/metrics", HERE)), "200");
}

#[test]
fn who_sends_nothing_does_not_keep_out_who_asks() {
    let endpoint = endpoint();
    let mut silent: Vec<_> = (0..64).map(|_| connect(&endpoint)).collect();
    assert_eq!(status(&get(&endpoint, "/metrics", HERE)), "200");
    assert_eq!(status(&rest(&mut silent[0])), "closed");
}

#[test]
fn other_methods_and_a_body_change_nothing() {
    let endpoint = endpoint();
    let mut post = connect(&endpoint);
    let request = format!("POST /metrics HTTP/1.1\r\n{HERE}Content-Length: 5\r\n\r\nhello");
    post.write_all(request.as_bytes()).expect("sent");
    assert_eq!(status(&rest(&mut post)), "405");
    let mut head = connect(&endpoint);
    head.write_all(format!("HEAD /metrics HTTP/1.1\r\n{HERE}\r\n").as_bytes()).expect("sent");
    let answer = rest(&mut head);
    assert!(status(&answer) == "200" && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn dropped_it_takes_nobody_any_more_and_waits_for_nobody_long() {
    let endpoint = endpoint();
    let mut slow = connect(&endpoint);
    slow.write_all(b"GET /metrics HTTP/1.1\r\n").expect("sent");
    assert_eq!(status(&get(&endpoint, "/metrics", HERE)), "200");
    let address = endpoint.address();
    let begun = std::time::Instant::now();
    drop(endpoint);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_ne!(status(&rest(&mut slow)), "200");
    while TcpStream::connect(address).is_ok() {
        assert!(begun.elapsed() < AGES, "nothing listens there");
    }
}

#[test]
fn an_address_in_use_is_named() {
    let endpoint = endpoint();
    let options = PrometheusOptions { address: endpoint.address(), ..options() };
    let error = PrometheusEndpoint::start(&options, Vec::new).expect_err("in use");
    let expected = format!("cannot listen on {} for scrapers", endpoint.address());
    assert_eq!(error.to_string(), expected);
    assert!(matches!(error, PrometheusError::Listen { .. }), "{error:?}");
}
