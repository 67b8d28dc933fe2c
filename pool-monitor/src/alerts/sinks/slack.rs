//! Slack's incoming webhooks.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pool_core::{ConfigError, Secret, async_trait};
use reqwest::header::HeaderMap;
use serde_json::json;

use super::http::{Endpoint, config_error};
use super::{DeliveryError, Habits, Sink, none, text};
use crate::alerts::Notification;
use crate::alerts::document::Table;

/// Slack takes 3000 characters in a section, and 150 in a header.
const LONGEST_SECTION: usize = 3000;
const LONGEST_HEADER: usize = 150;

/// Where a [`Slack`] sends to.
#[derive(Clone, Debug)]
pub struct SlackOptions {
    /// The URL of the incoming webhook. Default: none, which is an error.
    pub url: Secret,
    /// Authorities that are trusted besides the system's, as PEM. Default: none.
    pub root_certificates: Option<PathBuf>,
}

impl Default for SlackOptions {
    fn default() -> Self {
        Self { url: none(), root_certificates: None }
    }
}

/// A channel of Slack, by an incoming webhook.
pub struct Slack(Endpoint);

impl Slack {
    /// Checks the options. Connects to nobody.
    ///
    /// # Errors
    ///
    /// Every problem at once.
    pub fn new(options: &SlackOptions) -> Result<Self, ConfigError> {
        let endpoint = Endpoint::new(&options.url, "", options.root_certificates.as_deref());
        endpoint.map(Self).map_err(config_error)
    }
}

#[async_trait]
impl Sink for Slack {
    async fn deliver(&self, notification: &Notification) -> Result<(), DeliveryError> {
        self.0.post(HeaderMap::new(), body(notification)).await
    }

    fn habits(&self) -> Habits {
        // Slack takes about one message a second.
        Habits { pause: Duration::from_secs(1), ..Habits::default() }
    }
}

/// `text` is what a phone shows, `blocks` is what the channel does.
fn body(notification: &Notification) -> String {
    let title = notification.title();
    let lines = text::lines(notification).join("\n");
    let header = cut(&title, LONGEST_HEADER, str::to_owned);
    let section = cut(&lines, LONGEST_SECTION, escaped);
    let labels = cut(&text::labels(notification), LONGEST_SECTION, escaped);
    let mut blocks = vec![
        // Plain text needs no escapes, and shows them.
        json!({ "type": "header", "text": { "type": "plain_text", "text": header } }),
        json!({ "type": "section", "text": { "type": "mrkdwn", "text": section } }),
    ];
    if !labels.is_empty() {
        let labels = json!([{ "type": "mrkdwn", "text": labels }]);
        blocks.push(json!({ "type": "context", "elements": labels }));
    }
    json!({ "text": escaped(&title), "blocks": blocks }).to_string()
}

/// The three signs that mean something to Slack: without this a pool's name could call everybody.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// As much of a text as Slack takes, written by `write`: each sign by itself, so that no escape is cut
/// in two.
fn cut(text: &str, longest: usize, write: fn(&str) -> String) -> String {
    let whole = write(text);
    if whole.chars().count() <= longest {
        return whole;
    }
    let (mut kept, mut room) = (String::new(), longest - 1);
    for sign in text.chars() {
        let written = write(sign.encode_utf8(&mut [0; 4]));
        let Some(left) = room.checked_sub(written.chars().count()) else { break };
        kept.push_str(&written);
        room = left;
    }
    kept + "…"
}

pub(super) fn read(table: &Table<'_, '_>) -> Option<Arc<dyn Sink>> {
    let url = table.secret("url").unwrap_or_else(none);
    let root_certificates = table.text("root_certificates", "a path").map(PathBuf::from);
    match Slack::new(&SlackOptions { url, root_certificates }) {
        Ok(sink) => Some(Arc::new(sink)),
        Err(error) => {
            table.note_all(error.problems().to_vec());
            None
        }
    }
}

impl fmt::Debug for Slack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slack").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_is_kept_whole_or_left_out() {
        assert_eq!(escaped("<!channel> & co"), "&lt;!channel&gt; &amp; co");
        assert_eq!(cut("abcdef", 6, escaped), "abcdef");
        assert_eq!(cut("abcdefg", 6, escaped), "abcde…");
        assert_eq!(cut("abc&def", 8, escaped), "abc…");
        assert_eq!(cut("abc&def", 10, escaped), "abc&amp;d…");
    }

    #[test]
    fn a_sign_that_is_not_escaped_is_cut_like_any_other() {
        assert_eq!(cut("a & b c d", 6, str::to_owned), "a & b…");
    }
}
