//! What all sinks by HTTP share: a client that follows no redirects, and what answers mean.

use std::path::Path;
use std::time::SystemTime;

use pool_core::{ConfigError, Problem, Secret};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url};
use rustls::ClientConfig;

use super::{DeliveryError, MISSING, tls};
use crate::causes::causes;
use crate::http::{self, is_loopback, retry_after};

const ALLOWED: &str = "an https:// URL, or http:// on loopback";

/// Where to send to.
pub(super) struct Endpoint {
    client: Client,
    /// Never shown: it may be all that is needed to send.
    url: Url,
}

impl Endpoint {
    /// Sends to `url`, or if `path` is not empty to that below it.
    pub(super) fn new(
        url: &Secret,
        path: &str,
        root_certificates: Option<&Path>,
    ) -> Result<Self, Vec<Problem>> {
        match (parse(url, path), tls::client(root_certificates)) {
            (Ok(url), Ok(tls)) => match client(tls, &url) {
                Ok(client) => Ok(Self { client, url }),
                Err(problem) => Err(vec![problem]),
            },
            (url, tls) => Err(url.err().into_iter().chain(tls.err()).collect()),
        }
    }

    /// Sends JSON once.
    pub(super) async fn post(&self, headers: HeaderMap, json: String) -> Result<(), DeliveryError> {
        let request = self.client.post(self.url.clone()).headers(headers);
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match request.body(json).send().await {
            Ok(response) => answer(&response, SystemTime::now()),
            Err(error) => Err(DeliveryError::Retry { why: failure(&error), after: None }),
        }
    }
}

fn client(tls: ClientConfig, url: &Url) -> Result<Client, Problem> {
    let client = http::client(tls, url)
        // A connection that was kept for hours may be dead, and alerts are rare.
        .pool_max_idle_per_host(0)
        .build();
    client.map_err(|error| {
        Problem::not_shown("url", format!("no client: {}", failure(&error)), ALLOWED)
    })
}

fn parse(url: &Secret, path: &str) -> Result<Url, Problem> {
    let wrong = |why: &str| Problem::not_shown("url", why, ALLOWED);
    if url.expose().is_empty() {
        return Err(wrong(MISSING));
    }
    let mut url = Url::parse(url.expose()).map_err(|error| wrong(&error.to_string()))?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(wrong("not encrypted, and not on loopback")),
        _ => return Err(wrong("neither https nor http")),
    }
    if !path.is_empty() {
        let joined = format!("{}{path}", url.path().trim_end_matches('/'));
        url.set_path(&joined);
    }
    Ok(url)
}

/// What an answer means.
fn answer(response: &Response, now: SystemTime) -> Result<(), DeliveryError> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let why = format!("HTTP {status}");
    let is_busy = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    if is_busy || status.is_server_error() {
        return Err(DeliveryError::Retry { why, after: retry_after(response.headers(), now) });
    }
    let why = if status.is_redirection() { format!("{why}: not followed") } else { why };
    Err(DeliveryError::Refused { why })
}

/// What went wrong, in the words of its first cause: those of others hold the URL.
fn failure(error: &reqwest::Error) -> String {
    let what = if error.is_connect() { "cannot connect" } else { "no answer" };
    let first = causes(error).skip(1).last();
    first.map_or(what.to_owned(), |cause| format!("{what}: {cause}"))
}

/// `problems` as an error.
pub(super) fn config_error(problems: Vec<Problem>) -> ConfigError {
    match ConfigError::from_problems(problems) {
        Err(error) => error,
        Ok(()) => unreachable!("bug: an error without a problem"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_may_go_unencrypted() {
        for url in
            ["https://example.com/x", "http://127.0.0.1:9", "http://[::1]/", "http://localhost"]
        {
            assert!(parse(&Secret::new(url), "").is_ok(), "{url}");
        }
        for (url, why) in [
            ("http://example.com/canary", "not encrypted"),
            ("http://localhost.example.com/canary", "not encrypted"),
            ("http://127.0.0.1@example.com/canary", "not encrypted"),
            ("ftp://example.com/canary", "neither https nor http"),
            ("canary", "relative URL"),
            ("", "missing"),
        ] {
            let problem = parse(&Secret::new(url), "").expect_err(url);
            assert!(problem.why.starts_with(why) && !problem.to_string().contains("canary"));
        }
    }

    #[test]
    fn a_path_is_added_to_that_of_the_url() {
        for (url, whole) in [
            ("http://localhost:9093", "http://localhost:9093/api"),
            ("http://localhost/am/", "http://localhost/am/api"),
        ] {
            let url = parse(&Secret::new(url), "/api").expect("a URL");
            assert_eq!(url.as_str(), whole);
        }
    }
}
