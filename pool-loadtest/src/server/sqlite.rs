//! What can be known of an SQLite database: it has no server that counts.

use std::sync::Arc;

use pool_core::SharedError;
use pool_sqlite::{SqliteConnection, SqliteError};

use super::Counted;
use super::tally::{Figure, Tally};

const SIZE: Figure = ("database", "bytes");

impl Counted for SqliteConnection {
    const COUNTS_LATE: bool = false;

    async fn count(&mut self, tally: &mut Tally) -> Result<(), SharedError> {
        let sql = "SELECT sqlite_version()";
        let version =
            self.query_row(sql, (), |row| row.get::<_, String>(0)).await.map_err(shared)?;
        tally.version = Some(format!("SQLite {version}"));
        Ok(())
    }

    async fn look(&mut self, tally: &mut Tally) -> Result<(), SharedError> {
        let sql = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
        let bytes = self.query_row(sql, (), |row| row.get::<_, i64>(0)).await.map_err(shared)?;
        tally.look(SIZE, bytes as f64);
        Ok(())
    }

    fn findings(_: &Tally, _: f64) -> Vec<String> {
        Vec::new()
    }
}

fn shared(error: SqliteError) -> SharedError {
    Arc::new(error)
}
