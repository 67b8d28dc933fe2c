//! Why an SQLite database does not answer: asked without patience, it says so at once.

use std::error::Error;
use std::time::Duration;

use pool_core::{ConnectContext, Driver as _, Statements};
use pool_sqlite::{SqliteDriver, SqliteError, SqliteOptions};
use tokio::time::timeout;

/// How long the question may take.
const QUESTION: Duration = Duration::from_millis(250);

/// What keeps the database from being opened and written to, if that is so right now.
pub(crate) async fn reason(options: &SqliteOptions) -> Option<Box<dyn Error + Send + Sync>> {
    let options = SqliteOptions { busy_timeout: Duration::ZERO, ..options.clone() };
    let driver = SqliteDriver::new(options);
    let question = async {
        let context = ConnectContext::new(0, Statements::unobserved());
        let mut connection = driver.connect(context).await?;
        connection.execute_batch("begin immediate; rollback").await
    };
    let answered: Result<(), SqliteError> = timeout(QUESTION, question).await.ok()?;
    answered.err().map(Into::into)
}
