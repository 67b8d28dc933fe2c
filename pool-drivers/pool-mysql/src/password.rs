//! A password that cannot be shown, fixed or asked for at each connect.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

/// Why a provider has no password.
pub type PasswordError = Box<dyn Error + Send + Sync>;

type Provide = dyn Fn() -> BoxFuture<'static, Result<String, PasswordError>> + Send + Sync;

/// A password, or where to ask for one. It shows itself to nobody.
///
/// ```
/// use pool_mysql::Password;
///
/// assert_eq!(format!("{:?}", Password::from("hunter2")), "Password(..)");
/// ```
#[derive(Clone)]
pub struct Password(Kind);

#[derive(Clone)]
enum Kind {
    None,
    Fixed(Arc<str>),
    Provided(Arc<Provide>),
}

impl Password {
    /// No password.
    #[must_use]
    pub fn none() -> Self {
        Self(Kind::None)
    }

    /// The password is what `provider` returns, which is called at each connect: for credentials
    /// that are rotated, and for tokens that expire. It counts towards `connect_timeout`. After a
    /// change, [`Control::renew`](pool_core::Control::renew) replaces the connections that were opened
    /// with the old one.
    ///
    /// A provider's error is shown as part of the failed connect's; it should not hold the
    /// password.
    ///
    /// ```
    /// use pool_mysql::{MysqlOptions, Password};
    ///
    /// let options = MysqlOptions {
    ///     password: Password::provided(|| async {
    ///         std::env::var("TOKEN").map_err(Into::into)
    ///     }),
    ///     ..MysqlOptions::tcp("127.0.0.1", 3306)
    /// };
    /// ```
    pub fn provided<F, P>(provider: F) -> Self
    where
        F: Fn() -> P + Send + Sync + 'static,
        P: Future<Output = Result<String, PasswordError>> + Send + 'static,
    {
        Self(Kind::Provided(Arc::new(move || Box::pin(provider()))))
    }

    pub(crate) async fn ask(&self) -> Result<Option<String>, PasswordError> {
        match &self.0 {
            Kind::None => Ok(None),
            Kind::Fixed(password) => Ok(Some(password.to_string())),
            Kind::Provided(provide) => provide().await.map(Some),
        }
    }
}

impl From<&str> for Password {
    fn from(password: &str) -> Self {
        Self(Kind::Fixed(password.into()))
    }
}

impl From<String> for Password {
    fn from(password: String) -> Self {
        Self(Kind::Fixed(password.into()))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}
