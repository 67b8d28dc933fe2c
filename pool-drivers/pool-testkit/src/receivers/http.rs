//! A receiver of HTTP requests in the test's own process, which answers as the test says.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::error::ReceiverError;
use crate::servers::error::Trying;
use crate::servers::program::PATIENCE;

/// Takes every HTTP/1.1 request on a port of its own, one a connection, and answers 200 unless it is
/// told otherwise. Gone when dropped: its port refuses, and connections that hang are closed.
#[derive(Debug)]
pub struct HttpSink {
    address: SocketAddr,
    desk: Arc<Desk>,
    requests: Mutex<Receiver<Request>>,
}

/// What the sink does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It answers.
    Answer {
        /// The status.
        status: u16,
        /// Headers beside those that every answer has.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// It never answers and keeps the connection.
    Hang,
    /// It closes the connection without an answer.
    Close,
}

/// A request that was received.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Request {
    /// `POST` and the like.
    pub method: String,
    /// The path, with the query if there is one.
    pub path: String,
    /// The headers, as they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// When all of it was there.
    pub received: Instant,
}

/// What the thread of each connection needs.
#[derive(Debug)]
struct Desk {
    script: Mutex<Script>,
    requests: Sender<Request>,
    /// Connections that hang.
    held: Mutex<Vec<TcpStream>>,
    has_ended: AtomicBool,
}

#[derive(Debug)]
struct Script {
    next: VecDeque<Reply>,
    otherwise: Reply,
}

impl HttpSink {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// The system has no port or no thread left.
    pub fn start() -> Result<Self, ReceiverError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).trying_to("listen")?;
        let address = listener.local_addr().trying_to("listen")?;
        let (sender, requests) = channel();
        let desk = Arc::new(Desk {
            script: Mutex::new(Script { next: VecDeque::new(), otherwise: Reply::status(200) }),
            requests: sender,
            held: Mutex::default(),
            has_ended: AtomicBool::new(false),
        });
        let served = Arc::clone(&desk);
        let accepting = thread::Builder::new().name("http-sink".to_owned());
        accepting.spawn(move || accept(&listener, &served)).trying_to("start a thread")?;
        Ok(Self { address, desk, requests: Mutex::new(requests) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, with a path that begins with `/`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next requests are answered so, one after the other, after what was said before.
    pub fn answer(&self, replies: impl IntoIterator<Item = Reply>) {
        self.desk.script.lock().next.extend(replies);
    }

    /// Requests that no particular answer is meant for are answered so.
    pub fn otherwise(&self, reply: Reply) {
        self.desk.script.lock().otherwise = reply;
    }

    /// The oldest request that was not asked for yet; waits for one.
    ///
    /// # Errors
    ///
    /// None comes within `bound`.
    pub fn next(&self, bound: Duration) -> Result<Request, ReceiverError> {
        let requests = self.requests.lock();
        requests.recv_timeout(bound).map_err(|_| ReceiverError::Silent {
            awaited: "an HTTP request".to_owned(),
            waited: bound,
            instead: String::new(),
        })
    }

    /// All requests that were not asked for yet; does not wait.
    #[must_use]
    pub fn rest(&self) -> Vec<Request> {
        self.requests.lock().try_iter().collect()
    }
}

impl Drop for HttpSink {
    fn drop(&mut self) {
        self.desk.has_ended.store(true, Ordering::SeqCst);
        self.desk.held.lock().clear();
        // Wakes the thread that accepts, which then ends.
        let _woken = TcpStream::connect(self.address);
    }
}

impl Reply {
    /// An empty answer of this status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: String::new() }
    }

    /// An answer that asks the sender to come again after some seconds.
    #[must_use]
    pub fn retry_after(status: u16, seconds: u32) -> Self {
        let headers = vec![("Retry-After".to_owned(), seconds.to_string())];
        Self::Answer { status, headers, body: String::new() }
    }

    /// An answer that sends the sender elsewhere, with method and body.
    #[must_use]
    pub fn redirect(to: &str) -> Self {
        let headers = vec![("Location".to_owned(), to.to_owned())];
        Self::Answer { status: 307, headers, body: String::new() }
    }

    /// As it goes over the wire; nothing if it is none.
    fn written(&self) -> Option<String> {
        let Self::Answer { status, headers, body } = self else { return None };
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let (headers, length) = (headers.concat(), body.len());
        Some(format!(
            "HTTP/1.1 {status} Scripted\r\nConnection: close\r\nContent-Length: {length}\r\n\
             {headers}\r\n{body}"
        ))
    }
}

impl Request {
    /// The first header of this name, in whatever case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null if it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

fn accept(listener: &TcpListener, desk: &Arc<Desk>) {
    for stream in listener.incoming().map_while(Result::ok) {
        if desk.has_ended.load(Ordering::SeqCst) {
            return;
        }
        let desk = Arc::clone(desk);
        // One that sends nothing holds nobody up.
        thread::spawn(move || {
            // Whoever goes before an answer has not sent a request, or does not want one.
            let _gone = serve(stream, &desk);
        });
    }
}

fn serve(mut stream: TcpStream, desk: &Desk) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let Some(request) = read(&mut BufReader::new(&stream))? else {
        let refusal = Reply::status(400).written().expect("bug: a status is an answer");
        return stream.write_all(refusal.as_bytes());
    };
    let reply = {
        let mut script = desk.script.lock();
        script.next.pop_front().unwrap_or_else(|| script.otherwise.clone())
    };
    if reply == Reply::Hang {
        let held = stream.try_clone()?;
        desk.held.lock().push(held);
    }
    // Told before it is answered: who has its answer finds its request here.
    let _awaited = desk.requests.send(request);
    reply.written().map_or(Ok(()), |answer| stream.write_all(answer.as_bytes()))
}

/// A whole request; nothing if it is none.
fn read(stream: &mut impl BufRead) -> io::Result<Option<Request>> {
    let line = line(stream)?;
    let [method, path, _version] = line.split(' ').collect::<Vec<_>>()[..] else {
        return Ok(None);
    };
    let mut request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: headers(stream)?,
        body: Vec::new(),
        received: Instant::now(),
    };
    let is_chunked = request.header("Transfer-Encoding") == Some("chunked");
    let length = request.header("Content-Length").map_or(Ok(0), str::parse);
    let Ok(length) = length else { return Ok(None) };
    request.body = if is_chunked { chunks(stream)? } else { bytes(stream, length)? };
    request.received = Instant::now();
    Ok(Some(request))
}

fn headers(stream: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let line = line(stream)?;
        match line.split_once(':') {
            Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
            None => return Ok(headers),
        }
    }
}

fn chunks(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let length = usize::from_str_radix(&line(stream)?, 16).map_err(io::Error::other)?;
        body.extend(bytes(stream, length)?);
        line(stream)?;
        if length == 0 {
            return Ok(body);
        }
    }
}

fn bytes(stream: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The next line without its end.
fn line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
