//! How long transactions have been open on the server.

use std::time::Duration;

use async_trait::async_trait;
use pool_core::{Activity, ActivityQuery};

use crate::connection::MysqlConnection;
use crate::driver::MysqlDriver;
use crate::error::MysqlError;

/// Of all sessions but the one that asks, and those that apply what another server did. A transaction
/// that is prepared (XA) may have no session any more.
///
/// `trx_started` is in the time of the server's machine, whatever the session's time zone.
const OLDEST: &str = "\
    SELECT MAX(TIMESTAMPDIFF(SECOND, trx_started, \
               CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', 'SYSTEM'))), \
           MAX(CASE WHEN command = 'Sleep' THEN time END) \
    FROM information_schema.innodb_trx \
    LEFT JOIN information_schema.processlist ON id = trx_mysql_thread_id \
    WHERE trx_mysql_thread_id <> CONNECTION_ID() AND COALESCE(user, '') <> 'system user'";

#[async_trait]
impl ActivityQuery<MysqlConnection, MysqlError> for MysqlDriver {
    /// `InnoDB`'s transactions, of all users, in whole seconds: each begins with its first statement
    /// that reads or writes a table. Needs the privilege `PROCESS`; without it the server's error
    /// 1227 says so.
    ///
    /// The server repeats its last list until nobody has asked for a tenth of a second: where many ask,
    /// let few of them do it.
    async fn activity(&self, connection: &mut MysqlConnection) -> Result<Activity, MysqlError> {
        let rows: Vec<(Option<i64>, Option<i64>)> = connection.ask(OLDEST).await?;
        let (oldest, idle) = rows.first().copied().unwrap_or_default();
        let mut activity = Activity::default();
        activity.oldest_transaction = oldest.map(duration);
        activity.oldest_idle_in_transaction = idle.map(duration);
        Ok(activity)
    }
}

/// Seconds as the server says them; a clock that was set back makes less than none.
fn duration(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
