//! OTLP in HTTP requests.

use std::time::SystemTime;

use pool_core::Problem;
use prost::bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url};

use super::error::ExportError;
use super::sender::{Refusal, Retry};
use super::settings::Target;
use super::tls;
use crate::http;

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
        let client = http::client(tls, &target.endpoint.url)
            .default_headers(headers)
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
                retry: retry(status, response.headers()),
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
fn retry(status: StatusCode, headers: &HeaderMap) -> Retry {
    match status.as_u16() {
        429 | 502 | 503 | 504 => {
            let after = http::retry_after(headers, SystemTime::now());
            after.map_or(Retry::Soon, Retry::After)
        }
        _ => Retry::Never,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::RETRY_AFTER;

    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_when_the_collector_says() {
        let none = HeaderMap::new();
        let seven = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("7"))]);
        let after = Retry::After(Duration::from_secs(7));
        assert_eq!(retry(StatusCode::TOO_MANY_REQUESTS, &seven), after);
        assert_eq!(retry(StatusCode::SERVICE_UNAVAILABLE, &none), Retry::Soon);
        for status in [400, 401, 404, 413, 500, 301] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(retry(status, &seven), Retry::Never, "{status}");
        }
    }
}
