//! What a request is answered: to whom, and to what. Not here: connections.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT, ALLOW, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, WWW_AUTHENTICATE,
};
use hyper::http::HeaderValue;
use hyper::{Method, Request, Response, StatusCode};
use pool_core::Secret;

use super::exposition::{Family, Format};

/// What is told, and to whom.
pub(super) struct Desk {
    pub(super) token: Option<Secret>,
    pub(super) hosts: Vec<String>,
    pub(super) collect: Box<dyn Fn() -> Vec<Family> + Send + Sync>,
}

pub(super) type Answer = Response<Full<Bytes>>;

impl Desk {
    pub(super) fn answer<B>(&self, request: &Request<B>) -> Answer {
        if !self.is_asked_for(request) {
            return plain(StatusCode::FORBIDDEN, "not asked for by a name that is allowed");
        }
        if !self.is_let_in(request) {
            let answer = plain(StatusCode::UNAUTHORIZED, "the token is missing or wrong");
            return with(answer, WWW_AUTHENTICATE, "Bearer");
        }
        match (request.uri().path(), request.method()) {
            ("/metrics", &Method::GET | &Method::HEAD) => self.metrics(request),
            ("/metrics", _) => {
                with(plain(StatusCode::METHOD_NOT_ALLOWED, "GET is allowed"), ALLOW, "GET, HEAD")
            }
            _ => plain(StatusCode::NOT_FOUND, "the metrics are at /metrics"),
        }
    }

    /// Whether the request names this endpoint. A browser that was led here by a web site's own name
    /// server still names that site.
    fn is_asked_for<B>(&self, request: &Request<B>) -> bool {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        host.and_then(without_port).is_some_and(|name| {
            let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
            let is_same = |allowed: &str| allowed.eq_ignore_ascii_case(name);
            is_address || is_same("localhost") || self.hosts.iter().any(|host| is_same(host))
        })
    }

    fn is_let_in<B>(&self, request: &Request<B>) -> bool {
        let Some(token) = &self.token else { return true };
        let shown = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let shown = shown.and_then(|shown| shown.split_at_checked(BEARER.len()));
        shown.is_some_and(|(scheme, shown)| {
            scheme.eq_ignore_ascii_case(BEARER.as_bytes())
                && is_equal(shown, token.expose().as_bytes())
        })
    }

    fn metrics<B>(&self, request: &Request<B>) -> Answer {
        let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
        let format = Format::accepted(accept.unwrap_or_default());
        // A panic would end one connection without a word; its message was told by the hook.
        match catch_unwind(AssertUnwindSafe(|| format.write(&(self.collect)()))) {
            Ok(text) => with(Response::new(Full::from(text)), CONTENT_TYPE, format.content_type()),
            Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "collecting the metrics panicked"),
        }
    }
}

const BEARER: &str = "Bearer ";

/// `name`, of `name:port` or `[address]:port`.
fn without_port(host: &str) -> Option<&str> {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) && (!name.contains(':') || name.ends_with(']')) => {
            Some(name)
        }
        _ => Some(host),
    }
    .filter(|name| !name.is_empty())
}

/// Compares in a time that does not tell where they differ, only whether in length.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |seen, (one, other)| {
        // Kept from being cut short by the compiler.
        std::hint::black_box(seen | (one ^ other))
    });
    one.len() == other.len() && differences == 0
}

fn plain(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Response::new(Full::from(format!("{text}\n")));
    *answer.status_mut() = status;
    with(answer, CONTENT_TYPE, "text/plain; charset=utf-8")
}

fn with(mut answer: Answer, name: HeaderName, value: &'static str) -> Answer {
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desk(token: Option<&str>) -> Desk {
        let collect = Box::new(Vec::new);
        Desk { token: token.map(Secret::new), hosts: vec!["pools.internal".to_owned()], collect }
    }

    fn status(desk: &Desk, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().uri("/metrics");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        desk.answer(&request.body(()).expect("a request")).status().as_u16()
    }

    #[test]
    fn only_who_names_the_endpoint_is_answered() {
        let desk = desk(None);
        for host in [
            "localhost",
            "LOCALHOST:9187",
            "127.0.0.1:9187",
            "[::1]:9187",
            "10.0.0.7",
            "pools.internal:9187",
            "Pools.Internal",
        ] {
            assert_eq!(status(&desk, &[("Host", host)]), 200, "{host}");
        }
        for host in [
            "",
            ":9187",
            "evil.example",
            "localhost.evil.example",
            "pools.internal:x",
            "127.0.0.1.evil.example:9187",
            "x.pools.internal",
        ] {
            assert_eq!(status(&desk, &[("Host", host)]), 403, "{host}");
        }
        assert_eq!(status(&desk, &[]), 403, "without a name");
    }

    #[test]
    fn only_who_shows_the_token_is_let_in() {
        let desk = desk(Some("0123456789abcdef"));
        let shown = |shown| status(&desk, &[("Host", "localhost"), ("Authorization", shown)]);
        assert_eq!(shown("Bearer 0123456789abcdef"), 200);
        assert_eq!(shown("bearer 0123456789abcdef"), 200);
        for wrong in [
            "Bearer 0123456789abcdeg",
            "Bearer 0123456789abcde",
            "Bearer ",
            "Bearer",
            "Bearer 0123456789abcdef0",
            "Basic 0123456789abcdef",
            "0123456789abcdef",
            "",
        ] {
            assert_eq!(shown(wrong), 401, "{wrong}");
        }
        assert_eq!(status(&desk, &[("Host", "localhost")]), 401);
    }

    #[test]
    fn what_panics_while_it_collects_is_told() {
        let desk = Desk { collect: Box::new(|| panic!("no metrics")), ..desk(None) };
        assert_eq!(status(&desk, &[("Host", "localhost")]), 500);
    }
}
