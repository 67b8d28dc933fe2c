//! Webhooks signed as Standard Webhooks demand (`standard-webhooks/standard-webhooks`).

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use pool_core::{ConfigError, Problem, Secret, async_trait};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use sha2::Sha256;

use super::http::{Endpoint, config_error};
use super::text::time;
use super::{DeliveryError, MISSING, Sink, none};
use crate::alerts::Notification;
use crate::alerts::alert::Alert;
use crate::alerts::document::Table;

/// Where a [`Webhook`] sends to.
#[derive(Clone, Debug)]
pub struct WebhookOptions {
    /// The URL. Default: none, which is an error.
    pub url: Secret,
    /// What the messages are signed with: `whsec_` and 24 to 64 bytes in Base64, which the receiver
    /// knows, too. Default: none, which is an error.
    pub secret: Secret,
    /// Authorities that are trusted besides the system's, as PEM. Default: none.
    pub root_certificates: Option<PathBuf>,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self { url: none(), secret: none(), root_certificates: None }
    }
}

/// A receiver of signed JSON.
///
/// The headers `webhook-id` (the same for each attempt), `webhook-timestamp` and `webhook-signature`
/// are those of Standard Webhooks. The body:
///
/// ```json
/// {
///   "type": "pool.alert.firing",
///   "timestamp": "2026-01-31T12:00:00Z",
///   "data": {
///     "title": "CRITICAL wait: firing for the pool orders",
///     "rule": "wait",
///     "severity": "critical",
///     "labels": { "service": "shop" },
///     "alerts": [{
///       "pool": "orders",
///       "status": "firing",
///       "summary": "one acquire in a hundred of the pool orders waits 1.5 s or longer",
///       "value": 1.5,
///       "started_at": "2026-01-31T11:59:50Z",
///       "resolved_at": null
///     }]
///   }
/// }
/// ```
pub struct Webhook {
    endpoint: Endpoint,
    key: Vec<u8>,
}

impl Webhook {
    /// Checks the options. Connects to nobody.
    ///
    /// # Errors
    ///
    /// Every problem at once.
    pub fn new(options: &WebhookOptions) -> Result<Self, ConfigError> {
        let WebhookOptions { url, secret, root_certificates } = options;
        match (Endpoint::new(url, "", root_certificates.as_deref()), key(secret)) {
            (Ok(endpoint), Ok(key)) => Ok(Self { endpoint, key }),
            (endpoint, key) => {
                let problems = endpoint.err().into_iter().flatten().chain(key.err());
                Err(config_error(problems.collect()))
            }
        }
    }

    fn headers(&self, id: &str, now: SystemTime, body: &str) -> HeaderMap {
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let seconds = seconds.to_string();
        let signature = sign(&self.key, id, &seconds, body);
        let named = |name, value: &str| {
            let value = HeaderValue::from_str(value).expect("bug: not plain text");
            (HeaderName::from_static(name), value)
        };
        HeaderMap::from_iter([
            named("webhook-id", id),
            named("webhook-timestamp", &seconds),
            named("webhook-signature", &signature),
        ])
    }
}

#[async_trait]
impl Sink for Webhook {
    async fn deliver(&self, notification: &Notification) -> Result<(), DeliveryError> {
        let body = body(notification);
        // Signed anew for each attempt: receivers refuse what is older than five minutes.
        let headers = self.headers(&notification.id, SystemTime::now(), &body);
        self.endpoint.post(headers, body).await
    }
}

fn key(secret: &Secret) -> Result<Vec<u8>, Problem> {
    let allowed = "whsec_ and 24 to 64 bytes in Base64";
    let wrong = |why: &str| Problem::not_shown("secret", why, allowed);
    if secret.expose().is_empty() {
        return Err(wrong(MISSING));
    }
    let text =
        secret.expose().strip_prefix("whsec_").ok_or_else(|| wrong("no whsec_ before it"))?;
    let key = BASE64_STANDARD.decode(text).map_err(|_| wrong("not Base64"))?;
    if (24..=64).contains(&key.len()) {
        Ok(key)
    } else {
        Err(wrong(&format!("{} bytes", key.len())))
    }
}

fn sign(key: &[u8], id: &str, seconds: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("bug: HMAC takes keys of any length");
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

fn body(notification: &Notification) -> String {
    let Notification { rule, severity, alerts, at, labels, .. } = notification;
    let state = state(notification.is_firing());
    json!({
        "type": format!("pool.alert.{state}"),
        "timestamp": time(*at),
        "data": {
            "title": notification.title(),
            "rule": &**rule,
            "severity": severity.name(),
            "labels": &**labels,
            "alerts": alerts.iter().map(one).collect::<Vec<_>>(),
        },
    })
    .to_string()
}

fn one(alert: &Alert) -> Value {
    json!({
        "pool": &*alert.pool,
        "status": state(alert.is_firing()),
        "summary": alert.summary,
        "value": alert.value,
        "started_at": time(alert.started),
        "resolved_at": alert.resolved.map(time),
    })
}

const fn state(is_firing: bool) -> &'static str {
    if is_firing { "firing" } else { "resolved" }
}

pub(super) fn read(table: &Table<'_, '_>) -> Option<Arc<dyn Sink>> {
    let url = table.secret("url").unwrap_or_else(none);
    let secret = table.secret("secret").unwrap_or_else(none);
    let root_certificates = table.text("root_certificates", "a path").map(PathBuf::from);
    match Webhook::new(&WebhookOptions { url, secret, root_certificates }) {
        Ok(sink) => Some(Arc::new(sink)),
        Err(error) => {
            table.note_all(error.problems().to_vec());
            None
        }
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn signatures_are_those_of_the_specification() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let key = key(&secret).expect("a key");
        let body = "{\"test\": 2432232314}";
        let signature = sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_is_none_is_refused_without_being_shown() {
        for (secret, why) in [
            ("", "missing"),
            ("canary", "no whsec_"),
            ("whsec_canary!", "not Base64"),
            ("whsec_Y2FuYXJ5", "6 bytes"),
        ] {
            let problem = key(&Secret::new(secret)).expect_err(secret);
            assert!(problem.why.starts_with(why), "{problem}");
            assert!(!problem.to_string().contains("canary"), "{problem}");
        }
    }
}
