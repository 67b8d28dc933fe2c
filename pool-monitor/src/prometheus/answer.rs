//! What a scraper is answered: to whom, and to what. Not here: connections.

use pool_endpoint::hyper::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use pool_endpoint::hyper::{Method, Response, StatusCode};
use pool_endpoint::{Answer, Asked, Credential, Full, plain, with};

use super::exposition::{Family, Format};

/// Answers a scraper with what `collect` returns now.
pub(super) fn answer(asked: Asked<'_>, collect: impl Fn() -> Vec<Family>) -> Answer {
    if matches!(asked.credential, Credential::Missing | Credential::Wrong) {
        let answer = plain(StatusCode::UNAUTHORIZED, "the token is missing or wrong");
        return with(answer, WWW_AUTHENTICATE, "Bearer");
    }
    match (asked.path, asked.method) {
        ("/metrics", &Method::GET | &Method::HEAD) => {
            let format = Format::accepted(asked.accept);
            let answer = Response::new(Full::from(format.write(&collect())));
            with(answer, CONTENT_TYPE, format.content_type())
        }
        ("/metrics", _) => {
            with(plain(StatusCode::METHOD_NOT_ALLOWED, "GET is allowed"), ALLOW, "GET, HEAD")
        }
        _ => plain(StatusCode::NOT_FOUND, "the metrics are at /metrics"),
    }
}
