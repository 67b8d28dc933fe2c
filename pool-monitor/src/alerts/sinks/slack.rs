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
    let header = cut(&title, LONGEST_HEADER);
    let section = cut(&escaped(&lines), LONGEST_SECTION);
    let labels = cut(&escaped(&text::labels(notification)), LONGEST_SECTION);
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

/// As much of a text as Slack takes.
fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some(_) => {
            let kept: String = text.chars().take(longest - 1).collect();
            // Half an escape would be text.
            let whole = kept.rfind('&').filter(|at| !kept[*at..].contains(';'));
            format!("{}…", &kept[..whole.unwrap_or(kept.len())])
        }
    }
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
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("abc&amp;def", 7), "abc…");
    }
}
