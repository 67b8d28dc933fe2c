//! Passwords, which cannot print themselves.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

/// A password. Neither `Debug` nor anything else shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Box<str>);

impl Password {
    /// Takes the password's text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into_boxed_str())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(not shown)")
    }
}

/// Why a password provider has none. What it says of itself must hold no secret: it is shown.
pub type PasswordError = Box<dyn Error + Send + Sync>;

type Provide = dyn Fn() -> BoxFuture<'static, Result<Password, PasswordError>> + Send + Sync;

/// Where the password of the next connect comes from, if not from the options.
#[derive(Clone)]
pub(crate) struct PasswordProvider(Arc<Provide>);

impl PasswordProvider {
    pub(crate) fn new<F, Fut>(provide: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Password, PasswordError>> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(provide())))
    }

    pub(crate) async fn password(&self) -> Result<Password, PasswordError> {
        (self.0)().await
    }
}

impl fmt::Debug for PasswordProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordProvider")
    }
}
