//! OTLP in HTTP requests.

use std::time::{Duration, SystemTime};

use pool_core::Problem;
use prost::bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};

use super::error::ExportError;
use super::sender::{Refusal, Retry};
use super::settings::Target;
use super::tls;

/// An answer is a few numbers and a sentence.
const LONGEST_ANSWER: usize = 64 * 1024;

pub(super) struct HttpTransport {
    client: Client,
    url: Url,
}

impl HttpTransport {
    pub(super) fn new(target: Target) -> Result<Self, Problem> {
        let tls = tls::config(&target)?;
        let mut headers = target.headers;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("pool-monitor/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            // A redirect would take the headers, and the keys in them, elsewhere.
            .redirect(redirect::Policy::none())
            .build()
            .expect("bug: a client that nothing of a user's is wrong with");
        Ok(Self { client, url: target.endpoint.url })
    }

    pub(super) async fn send(&self, body: Bytes) -> Result<Bytes, Refusal> {
        let sent = self.client.post(self.url.clone()).body(body).send().await;
        let response = sent.map_err(|error| broken(&error))?;
        match response.status() {
            status if status.is_success() => answer(response).await,
            status => Err(Refusal {
                error: ExportError::Http(status.as_u16()),
                retry: retry(status, response.headers().get(RETRY_AFTER)),
            }),
        }
    }
}

async fn answer(mut response: Response) -> Result<Bytes, Refusal> {
    let mut answer = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
        if answer.len() + chunk.len() > LONGEST_ANSWER {
            let error = ExportError::AnswerTooLong { limit: LONGEST_ANSWER };
            return Err(Refusal { error, retry: Retry::Never });
        }
        answer.extend_from_slice(&chunk);
    }
    Ok(answer.freeze())
}

fn broken(error: &reqwest::Error) -> Refusal {
    Refusal { error: ExportError::connection(error), retry: Retry::Soon }
}

/// By the protocol's list of statuses that may pass.
fn retry(status: StatusCode, after: Option<&HeaderValue>) -> Retry {
    match status.as_u16() {
        429 | 502 | 503 | 504 => after.and_then(seconds).map_or(Retry::Soon, Retry::After),
        _ => Retry::Never,
    }
}

/// A number of seconds or a date.
fn seconds(after: &HeaderValue) -> Option<Duration> {
    let text = after.to_str().ok()?.trim();
    let seconds = text.parse().ok().map(Duration::from_secs);
    seconds.or_else(|| {
        let date = httpdate::parse_http_date(text).ok()?;
        Some(date.duration_since(SystemTime::now()).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_when_the_collector_says() {
        let after = HeaderValue::from_static("7");
        let seven = Retry::After(Duration::from_secs(7));
        assert_eq!(retry(StatusCode::TOO_MANY_REQUESTS, Some(&after)), seven);
        assert_eq!(retry(StatusCode::SERVICE_UNAVAILABLE, None), Retry::Soon);
        for status in [400, 401, 404, 413, 500, 301] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(retry(status, Some(&after)), Retry::Never, "{status}");
        }
        let past = HeaderValue::from_static("Fri, 07 Aug 2015 00:00:00 GMT");
        assert_eq!(seconds(&past), Some(Duration::ZERO));
        assert_eq!(seconds(&HeaderValue::from_static("soon")), None);
    }
}
