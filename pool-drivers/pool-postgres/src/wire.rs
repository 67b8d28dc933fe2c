//! What a connection's wire has seen: which replies are owed, and the server's last word on whether
//! a transaction is open.
//!
//! tokio-postgres reads `ReadyForQuery` and keeps its status to itself, so the stream under it is
//! listened to. The truth is the server's: no statement is parsed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsStream};

use crate::dial::Socket;
use crate::framing::{Framer, Message};

/// What the wire has seen. Written by whoever drives the connection, read by its users.
///
/// A request is what ends in `Sync` or is a simple query, and the login; each is answered by one
/// `ReadyForQuery`.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    /// Requests sent.
    sent: AtomicU64,
    /// Value of `sent` at the last request that could change something: closing a prepared statement
    /// cannot, and clients do it late.
    last_work: AtomicU64,
    /// Statements prepared under a name, or begun to be.
    prepared: AtomicU64,
    /// Requests answered. Stored after `status`, read before it.
    answered: AtomicU64,
    /// The status in the last answer.
    status: AtomicU8,
    /// The session's number, as the login was told.
    backend: AtomicU32,
    /// It cannot be told any more which answer belongs to which request.
    lost: AtomicBool,
}

/// The server's word on a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// No transaction is open.
    Idle,
    /// A transaction is open.
    InTransaction,
    /// A transaction is open and has failed.
    Failed,
}

impl Wire {
    /// The server's last word, if every request on the wire that could change it is answered.
    pub(crate) fn settled(&self) -> Option<Status> {
        if self.is_lost() {
            return None;
        }
        let answered = self.answered.load(Ordering::Acquire);
        if answered < self.last_work.load(Ordering::Acquire) {
            return None;
        }
        match self.status.load(Ordering::Acquire) {
            b'I' => Some(Status::Idle),
            b'T' => Some(Status::InTransaction),
            b'E' => Some(Status::Failed),
            _ => None,
        }
    }

    /// Whether it cannot be told any more which answer belongs to which request. Such a connection
    /// is of no use to anybody.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// How many statements were prepared under a name, or begun to be.
    pub(crate) fn prepared(&self) -> u64 {
        self.prepared.load(Ordering::Acquire)
    }

    /// The number of the session that the connection was given; 0, which is nobody's, if it was told
    /// none.
    pub(crate) fn backend(&self) -> u32 {
        self.backend.load(Ordering::Acquire)
    }

    /// Counts an answer, as the only one that does; how many there are now.
    fn answer(&self) -> u64 {
        let answered = self.answered.load(Ordering::Relaxed) + 1;
        self.answered.store(answered, Ordering::Release);
        answered
    }

    /// The server's last word, whatever is under way.
    pub(crate) fn is_in_transaction(&self) -> bool {
        matches!(self.status.load(Ordering::Acquire), b'T' | b'E')
    }
}

/// A socket that is listened to in both directions.
#[derive(Debug)]
pub(crate) struct Tap {
    socket: Socket,
    wire: Arc<Wire>,
    server: Framer,
    client: Framer,
    /// Whether anything but closing statements was sent since the last `Sync`.
    works: bool,
    /// Whether the last request ended in a `Sync`.
    by_sync: bool,
    /// Whether the server takes in a COPY whose first `Sync` it ignores.
    copying: bool,
}

impl Tap {
    pub(crate) fn new(socket: Socket, wire: Arc<Wire>) -> Self {
        Self {
            socket,
            wire,
            server: Framer::of_server(),
            client: Framer::of_client(),
            works: false,
            by_sync: false,
            copying: false,
        }
    }

    fn hear_server(&mut self, bytes: &[u8]) {
        let Self { server, wire, by_sync, copying, .. } = self;
        server.push(bytes, |message| match message {
            Message { kind: b'Z', start: [status, ..] } => {
                *copying = false;
                wire.status.store(*status, Ordering::Release);
                let answered = wire.answer();
                if answered > wire.sent.load(Ordering::Relaxed) {
                    wire.lost.store(true, Ordering::Release);
                }
            }
            // BackendKeyData.
            Message { kind: b'K', start: &[a, b, c, d] } => {
                wire.backend.store(u32::from_be_bytes([a, b, c, d]), Ordering::Release);
            }
            // A server that begins to take in a COPY ignores the Sync that was sent with it; the one
            // after the data, which is still to be sent, will be answered.
            Message { kind: b'G', .. } if *by_sync => {
                let sent = wire.sent.load(Ordering::Relaxed);
                wire.last_work.store(sent + 1, Ordering::Release);
                wire.answer();
                *copying = true;
            }
            // It may have failed before it came to that Sync. Then both are answered, and the client
            // above would take the second answer for that to its next request.
            Message { kind: b'E', .. } if *copying => wire.lost.store(true, Ordering::Release),
            _ => {}
        });
    }

    fn hear_client(&mut self, bytes: &[u8]) {
        let Self { client, wire, works, by_sync, .. } = self;
        client.push(bytes, |message| match message.kind {
            // The login, which has no type; query, function call, Sync.
            kind @ (0 | b'Q' | b'F' | b'S') => {
                *by_sync = kind == b'S';
                let sent = wire.sent.load(Ordering::Relaxed) + 1;
                wire.sent.store(sent, Ordering::Release);
                if *works || !*by_sync {
                    wire.last_work.store(sent, Ordering::Release);
                }
                *works = false;
            }
            // Close.
            b'C' => {}
            // Parse, which begins with the statement's name.
            b'P' if message.start.first() != Some(&0) => {
                wire.prepared.fetch_add(1, Ordering::Release);
                *works = true;
            }
            _ => *works = true,
        });
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        self.hear_server(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.socket).poll_write(cx, bytes))?;
        self.hear_client(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

impl TlsStream for Tap {
    fn channel_binding(&self) -> ChannelBinding {
        self.socket.channel_binding()
    }
}
