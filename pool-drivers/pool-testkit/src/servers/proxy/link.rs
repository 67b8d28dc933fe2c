//! One connection through the proxy: four threads, two for each way.
//!
//! One reads as fast as bytes come and notes when, the other writes when they may pass. A delay so
//! costs no throughput.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};
use std::{io, iter};

use rustix::net::sockopt::set_socket_linger;

use super::gate::{Lane, Passage};
use super::{Behaviour, Route};

/// How many bytes travel together.
const PIECE: usize = 4_096;

/// How many pieces are on the way before the sender has to wait.
const PIECES: usize = 64;

/// How often somebody who cannot write looks whether the connection is cut.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Both ends of a connection.
#[derive(Debug)]
pub(super) struct Link {
    client: TcpStream,
    /// Once there was a reason to connect to it.
    server: OnceLock<TcpStream>,
    /// It is being reset.
    cut: AtomicBool,
    /// The server's end is gone, and the client does not know.
    half_open: AtomicBool,
}

/// Which end bytes go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Client,
    Server,
}

/// Bytes and when they came; without bytes, that no more will come.
type Piece = (Instant, Vec<u8>);

impl Link {
    pub(super) fn new(client: TcpStream) -> io::Result<Self> {
        prepare(&client)?;
        Ok(Self {
            client,
            server: OnceLock::new(),
            cut: AtomicBool::new(false),
            half_open: AtomicBool::new(false),
        })
    }

    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    fn is_half_open(&self) -> bool {
        self.half_open.load(Ordering::Acquire)
    }

    /// Resets it. Its threads see to that as they end, which they do soon.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        for stream in iter::once(&self.client).chain(self.server.get()) {
            // Closed without lingering, a connection is reset; one that is gone cannot be.
            let _set = set_socket_linger(stream, Some(Duration::ZERO));
            // Wakes who reads, and tells the other side nothing.
            let _shut = stream.shutdown(Shutdown::Read);
        }
    }

    /// Hangs up on the server, and lets the client believe that it is there.
    pub(super) fn lose_server(&self) {
        self.half_open.store(true, Ordering::Release);
        if let Some(server) = self.server.get() {
            hang_up(server);
        }
    }

    /// Reads from `source` until that hangs up.
    fn read(&self, mut source: &TcpStream, pieces: &SyncSender<Piece>) {
        let mut buffer = vec![0; PIECE];
        loop {
            // A reset is passed on as an end: what a test resets it resets itself.
            let length = source.read(&mut buffer).unwrap_or(0);
            let piece = (Instant::now(), buffer[..length].to_vec());
            if self.is_cut() || pieces.send(piece).is_err() || length == 0 {
                return;
            }
        }
    }

    /// Writes to `target` what may pass, until there is no more.
    fn write(&self, target: Target, pieces: &Receiver<Piece>, route: &Route) {
        let mut lane = Lane::new(Instant::now());
        while let Ok((arrived, bytes)) = pieces.recv() {
            let passage = route.gate.pass(&mut lane, arrived, bytes.len(), || self.is_cut());
            if passage == Passage::Cut {
                return;
            }
            let stream = match target {
                Target::Client => Some(&self.client),
                Target::Server => self.server.get(),
            };
            match (stream, self.is_half_open()) {
                (Some(stream), false) => self.pass_on(stream, &bytes),
                // What the client sends is lost, and that the server is gone it is not told.
                _ => {
                    if bytes.is_empty() && target == Target::Server {
                        hang_up(&self.client);
                    }
                }
            }
        }
    }

    /// Writes `bytes`, or if there are none that there will be no more.
    fn pass_on(&self, target: &TcpStream, bytes: &[u8]) {
        if bytes.is_empty() {
            // One that is gone need not be told.
            let _shut = target.shutdown(Shutdown::Write);
        } else if self.write_all(target, bytes).is_err() {
            // Who sends to one that is gone learns of it, and by a reset: one that waits for room to
            // send more does not hear that the other side has hung up.
            self.cut();
        }
    }

    fn write_all(&self, mut target: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match target.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.is_cut() {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn hang_up(stream: &TcpStream) {
    // It may have hung up by itself.
    let _shut = stream.shutdown(Shutdown::Both);
}

/// Carries what goes over `link` until both sides have hung up.
pub(super) fn carry(link: &Arc<Link>, route: &Arc<Route>) {
    let mut lane = Lane::new(Instant::now());
    // A server behind a black hole hears of nobody.
    if route.gate.pass(&mut lane, Instant::now(), 0, || link.is_cut()) == Passage::Pass {
        if route.gate.behaviour() == Behaviour::HalfOpen {
            link.lose_server();
        }
        match connect(link, route) {
            Ok(()) => exchange(link, route),
            // The nearest thing to a refusal for one that was accepted.
            Err(_) => link.cut(),
        }
    }
    route.forget(link);
}

fn connect(link: &Link, route: &Route) -> io::Result<()> {
    if link.is_half_open() {
        return Ok(());
    }
    let (host, port) = route.end().clone();
    let server = TcpStream::connect((&*host, port))?;
    prepare(&server)?;
    link.server.set(server).expect("bug: one thread connects");
    // Whoever changed it meanwhile found no server to tell.
    if link.is_cut() {
        link.cut();
    } else if link.is_half_open() {
        link.lose_server();
    }
    Ok(())
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(BETWEEN_LOOKS))
}

/// Both ways at once; only the client's, where there is no server.
fn exchange(link: &Link, route: &Route) {
    thread::scope(|scope| {
        if let Some(server) = link.server.get() {
            scope.spawn(|| one_way(link, server, Target::Client, route));
        }
        one_way(link, &link.client, Target::Server, route);
    });
}

fn one_way(link: &Link, source: &TcpStream, target: Target, route: &Route) {
    let (sender, pieces) = sync_channel(PIECES);
    thread::scope(|scope| {
        scope.spawn(move || link.read(source, &sender));
        link.write(target, &pieces, route);
        // Who reads on must not wait for somebody to take it.
        drop(pieces);
    });
}
