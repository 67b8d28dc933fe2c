//! Where a collector is. Of its URL only host and port are ever shown: user, path and parameters may
//! hold a key.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use pool_core::Secret;
use reqwest::Url;

/// A collector's URL, without user and password.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) url: Url,
    /// The value of an `authorization` header, if the URL had a user.
    pub(super) authorization: Option<Secret>,
}

impl Endpoint {
    /// Reads a URL; the error says what is wrong, without repeating it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if !text.contains("://") {
            return Err("it has no scheme");
        }
        let mut url = Url::parse(text).map_err(|_| "it is no URL")?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("its scheme is neither http nor https");
        }
        let authorization = basic(&url);
        // Both fail only for URLs without a host, which these two schemes do not have.
        let _without_user = url.set_username("");
        let _without_password = url.set_password(None);
        url.set_fragment(None);
        Ok(Self { url, authorization })
    }

    /// The same with `path` added to its own.
    pub(super) fn joined(mut self, path: &str) -> Self {
        let base = self.url.path().trim_end_matches('/').to_owned();
        self.url.set_path(&(base + path));
        self
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Host and port: all of it that is shown.
    pub(super) fn peer(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{host}:{port}")
    }

    /// What may be shown of a text that is meant to be a URL.
    pub(super) fn shown(text: &str) -> String {
        Self::parse(text).map_or_else(|_| "(not shown)".to_owned(), |endpoint| endpoint.peer())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.peer())
    }
}

fn basic(url: &Url) -> Option<Secret> {
    let password = url.password();
    if url.username().is_empty() && password.is_none() {
        return None;
    }
    let mut credentials: Vec<u8> = percent_decode_str(url.username()).collect();
    credentials.push(b':');
    credentials.extend(percent_decode_str(password.unwrap_or_default()));
    Some(Secret::new(format!("Basic {}", BASE64_STANDARD.encode(credentials))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_and_a_password_become_a_header_and_are_gone_from_the_url() {
        let endpoint = Endpoint::parse("https://me:p%40ss@collector/base/?k=v#f").expect("a URL");
        assert_eq!(endpoint.url.as_str(), "https://collector/base/?k=v");
        // printf 'me:p@ss' | base64
        let authorization = endpoint.authorization.as_ref().expect("a header");
        assert_eq!(authorization.expose(), "Basic bWU6cEBzcw==");
        let joined = endpoint.joined("/v1/traces");
        assert_eq!(joined.url.as_str(), "https://collector/base/v1/traces?k=v");
    }

    #[test]
    fn only_host_and_port_are_shown() {
        let shown = [
            ("http://me:hunter2@collector/hunter2?key=hunter2", "collector:80"),
            ("https://[::1]:4318", "[::1]:4318"),
            ("me:hunter2@collector", "(not shown)"),
            ("http://", "(not shown)"),
        ];
        for (text, expected) in shown {
            assert_eq!(Endpoint::shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_url_of_a_collector_says_why() {
        let wrong = [
            ("localhost:4318", "it has no scheme"),
            ("ftp://collector", "its scheme is neither http nor https"),
            ("http://a b", "it is no URL"),
        ];
        for (text, expected) in wrong {
            assert_eq!(Endpoint::parse(text).expect_err("wrong"), expected, "{text}");
        }
    }
}
