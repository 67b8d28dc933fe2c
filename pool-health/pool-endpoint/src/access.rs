//! Who is answered, and who is trusted.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HOST};
use pool_core::Secret;

/// What a client showed of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// There is no token that it could show.
    NoneNeeded,
    /// The token.
    Shown,
    /// None.
    Missing,
    /// Something else than the token.
    Wrong,
}

pub(crate) struct Access {
    pub(crate) token: Option<Secret>,
    pub(crate) hosts: Vec<String>,
}

impl Access {
    /// Whether a request names this endpoint. A browser that was led here by a web site's own name
    /// server still names that site. What names nothing, as checks by HTTP/1.0 do, is no browser.
    pub(crate) fn is_asked_for(&self, headers: &HeaderMap) -> bool {
        let Some(host) = headers.get(HOST) else { return true };
        host.to_str().ok().and_then(without_port).is_some_and(|name| {
            let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
            let is_same = |allowed: &str| allowed.eq_ignore_ascii_case(name);
            is_address || is_same("localhost") || self.hosts.iter().any(|host| is_same(host))
        })
    }

    pub(crate) fn credential(&self, headers: &HeaderMap) -> Credential {
        let Some(token) = &self.token else { return Credential::NoneNeeded };
        let Some(shown) = headers.get(AUTHORIZATION) else { return Credential::Missing };
        let shown = shown.as_bytes().split_at_checked(BEARER.len());
        let is_token = shown.is_some_and(|(scheme, shown)| {
            scheme.eq_ignore_ascii_case(BEARER.as_bytes())
                && is_equal(shown, token.expose().as_bytes())
        });
        if is_token { Credential::Shown } else { Credential::Wrong }
    }
}

/// Whether a token can be sent in a header, and is not guessed: visible ASCII characters, at least 16 of
/// them.
#[must_use]
pub fn is_usable_token(token: &Secret) -> bool {
    const SHORTEST: usize = 16;
    let token = token.expose();
    token.len() >= SHORTEST && token.bytes().all(|byte| byte.is_ascii_graphic())
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

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;
    use hyper::http::HeaderValue;

    use super::*;

    fn access(token: Option<&str>) -> Access {
        Access { token: token.map(Secret::new), hosts: vec!["pools.internal".to_owned()] }
    }

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        [(name, HeaderValue::from_static(value))].into_iter().collect()
    }

    #[test]
    fn only_who_names_the_endpoint_is_answered() {
        let access = access(None);
        for host in [
            "localhost",
            "LOCALHOST:9187",
            "127.0.0.1:9187",
            "[::1]:9187",
            "10.0.0.7",
            "pools.internal:9187",
            "Pools.Internal",
        ] {
            assert!(access.is_asked_for(&headers(HOST, host)), "{host}");
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
            assert!(!access.is_asked_for(&headers(HOST, host)), "{host}");
        }
        assert!(access.is_asked_for(&HeaderMap::new()), "no browser");
    }

    #[test]
    fn only_who_shows_the_token_is_trusted() {
        let closed = access(Some("0123456789abcdef"));
        let shown = |shown| closed.credential(&headers(AUTHORIZATION, shown));
        assert_eq!(shown("Bearer 0123456789abcdef"), Credential::Shown);
        assert_eq!(shown("bearer 0123456789abcdef"), Credential::Shown);
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
            assert_eq!(shown(wrong), Credential::Wrong, "{wrong}");
        }
        assert_eq!(closed.credential(&HeaderMap::new()), Credential::Missing);
        assert_eq!(access(None).credential(&HeaderMap::new()), Credential::NoneNeeded);
    }

    #[test]
    fn a_token_that_is_guessed_or_cannot_be_sent_is_no_use() {
        for (token, is_usable) in [
            ("0123456789abcdef", true),
            ("", false),
            ("short", false),
            ("0123456789 abcdef", false),
            ("0123456789abcdefü", false),
        ] {
            assert_eq!(is_usable_token(&Secret::new(token)), is_usable, "{token}");
        }
    }
}
