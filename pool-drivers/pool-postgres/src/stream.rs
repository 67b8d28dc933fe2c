//! Rows as they arrive.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use pool_core::RunningStatement;
use tokio_postgres::Row;

use crate::connection::tell;
use crate::error::PostgresError;
use crate::session::CallGuard;

/// The rows of a query, as they arrive. Dropped before its end, it leaves a connection that is
/// cleaned before its next user.
#[must_use = "a stream yields rows only when it is polled"]
pub struct RowStream<'a> {
    rows: Pin<Box<tokio_postgres::RowStream>>,
    /// Until the end.
    under_way: Option<UnderWay<'a>>,
}

struct UnderWay<'a> {
    call: CallGuard<'a>,
    running: Option<RunningStatement<'a>>,
}

impl UnderWay<'_> {
    fn finish(self, result: Result<(), &PostgresError>) {
        self.call.finish(result.err());
        tell(self.running, result);
    }
}

impl<'a> RowStream<'a> {
    pub(crate) fn new(
        rows: tokio_postgres::RowStream,
        call: CallGuard<'a>,
        running: Option<RunningStatement<'a>>,
    ) -> Self {
        Self { rows: Box::pin(rows), under_way: Some(UnderWay { call, running }) }
    }

    /// How many rows the statement changed or returned; `None` before the end.
    #[must_use]
    pub fn rows_affected(&self) -> Option<u64> {
        self.rows.rows_affected()
    }
}

impl Stream for RowStream<'_> {
    type Item = Result<Row, PostgresError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.under_way.is_none() {
            return Poll::Ready(None);
        }
        let next = ready!(self.rows.as_mut().poll_next(cx)).transpose().map_err(Into::into);
        match &next {
            Ok(Some(_)) => {}
            Ok(None) => self.finish(Ok(())),
            Err(error) => self.finish(Err(error)),
        }
        Poll::Ready(next.transpose())
    }
}

impl RowStream<'_> {
    fn finish(&mut self, result: Result<(), &PostgresError>) {
        if let Some(under_way) = self.under_way.take() {
            under_way.finish(result);
        }
    }
}

impl fmt::Debug for RowStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowStream").finish_non_exhaustive()
    }
}
