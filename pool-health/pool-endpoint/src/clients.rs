//! Who is served at once, who gives way to whom, and how they end. Not here: what they are told.

use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet, yield_now};
use tokio::time::sleep;

use crate::EndpointError;
use crate::thread::{Ended, ServerThread, last_answers};

/// Clients at once.
const PLACES: usize = 64;

/// Serves clients in a thread of its own, at most 64 at once.
///
/// When there are as many, a new one takes the place of the oldest that does not [keep](Place::keep) it:
/// clients that only hold connections open keep nobody else out. Dropped, it takes no more clients, and
/// waits at most a quarter of a second for those that are there.
///
/// ```
/// use std::io::Read as _;
/// use std::net::TcpStream;
/// use pool_endpoint::ClientServer;
///
/// let address = "127.0.0.1:0".parse()?;
/// let server = ClientServer::start("greeter", address, b"later", |stream, _place| async move {
///     let _sent = stream.try_write(b"welcome");
/// })?;
/// let mut told = String::new();
/// TcpStream::connect(server.address())?.read_to_string(&mut told)?;
/// assert_eq!(told, "welcome");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ClientServer {
    address: SocketAddr,
    _thread: ServerThread,
}

impl ClientServer {
    /// Listens, and has `serve` serve each client from now on. One for whom there is no place is told
    /// `refusal`.
    ///
    /// # Errors
    ///
    /// The address cannot be listened on, or the system has no thread left.
    pub fn start<F: Future<Output = ()> + Send + 'static>(
        name: &'static str,
        address: SocketAddr,
        refusal: &'static [u8],
        serve: impl Fn(TcpStream, Place) -> F + Send + 'static,
    ) -> Result<Self, EndpointError> {
        let listen = |source| EndpointError::Listen { address, source };
        let listener = std::net::TcpListener::bind(address).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let thread = ServerThread::start(
            name,
            move || TcpListener::from_std(listener).map_err(listen),
            move |listener, ended| run(listener, ended, refusal, serve),
        )?;
        Ok(Self { address, _thread: thread })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A client's place among those that are served at once.
#[derive(Clone, Debug)]
pub struct Place {
    keepers: Arc<AtomicUsize>,
    is_over: watch::Receiver<bool>,
}

impl Place {
    /// No newer client takes this place until what is returned is dropped.
    pub fn keep(&self) -> Kept {
        self.keepers.fetch_add(1, Ordering::Relaxed);
        Kept(Arc::clone(&self.keepers))
    }

    /// Waits until the server ends: what is under way may be finished then, if that is quick.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn over(&self) {
        let mut is_over = self.is_over.clone();
        // An error says that the server has gone.
        let _over = is_over.wait_for(|is_over| *is_over).await;
    }
}

/// A client keeps its place.
#[derive(Debug)]
#[must_use]
pub struct Kept(Arc<AtomicUsize>);

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Those who have places, the oldest first.
struct Clients {
    places: VecDeque<(Arc<AtomicUsize>, AbortHandle)>,
    tasks: JoinSet<()>,
}

impl Clients {
    /// Whether there is a place for one more; somebody may have had to go for it.
    fn make_room(&mut self) -> bool {
        while self.tasks.try_join_next().is_some() {}
        self.places.retain(|(_, task)| !task.is_finished());
        if self.places.len() < PLACES {
            return true;
        }
        let gives_way =
            self.places.iter().position(|(keepers, _)| keepers.load(Ordering::Relaxed) == 0);
        let gone = gives_way.and_then(|index| self.places.remove(index));
        gone.inspect(|(_, task)| task.abort()).is_some()
    }
}

/// Takes clients until it has `ended`, and then waits for those that are there.
async fn run<F: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    mut ended: Ended,
    refusal: &'static [u8],
    serve: impl Fn(TcpStream, Place) -> F,
) {
    let end = watch::Sender::new(false);
    let mut clients = Clients { places: VecDeque::new(), tasks: JoinSet::new() };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ended = &mut ended => break,
        };
        match accepted {
            Ok((stream, _)) if clients.make_room() => {
                let place = Place { keepers: Arc::default(), is_over: end.subscribe() };
                let keepers = Arc::clone(&place.keepers);
                clients.places.push_back((keepers, clients.tasks.spawn(serve(stream, place))));
                // What it has sent already is read before others come that could take its place.
                yield_now().await;
            }
            // A fresh connection has room for it.
            Ok((stream, _)) => drop(stream.try_write(refusal)),
            // Most likely too many files are open; it would be tried again at once, and in vain.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
    drop(listener);
    end.send_replace(true);
    last_answers(async { while clients.tasks.join_next().await.is_some() {} }).await;
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream as Client;
    use std::sync::Mutex;
    use std::time::Instant;

    use super::*;

    fn server() -> ClientServer {
        server_behind(Arc::default())
    }

    /// Who says something is told `kept`, and keeps its place until it says more. The server stands still
    /// while the gate is locked.
    fn server_behind(gate: Arc<Mutex<()>>) -> ClientServer {
        let address = "127.0.0.1:0".parse().expect("an address");
        let serve = move |stream: TcpStream, place: Place| {
            drop(gate.lock().expect("not poisoned"));
            answer(stream, place)
        };
        ClientServer::start("test", address, b"full", serve).expect("started")
    }

    async fn answer(stream: TcpStream, place: Place) {
        heard(&stream).await;
        let kept = place.keep();
        stream.try_write(b"kept").expect("there is room");
        heard(&stream).await;
        drop(kept);
        stream.try_write(b"free").expect("there is room");
        pending::<()>().await;
    }

    async fn heard(stream: &TcpStream) {
        while stream.try_read(&mut [0]).is_err() {
            stream.readable().await.expect("it is there");
        }
    }

    fn connect(server: &ClientServer) -> Client {
        let client = Client::connect(server.address()).expect("it listens");
        client.set_read_timeout(Some(Duration::from_mins(1))).expect("set");
        client
    }

    fn say(client: &mut Client) -> String {
        client.write_all(b"x").expect("sent");
        told(client)
    }

    /// The next four letters; none if the connection was closed.
    fn told(client: &mut Client) -> String {
        let mut told = [0; 4];
        match client.read_exact(&mut told) {
            Ok(()) => String::from_utf8_lossy(&told).into_owned(),
            Err(_) => String::new(),
        }
    }

    #[test]
    fn who_only_holds_a_connection_gives_way_the_oldest_first() {
        let server = server();
        let mut keeper = connect(&server);
        assert_eq!(say(&mut keeper), "kept");
        let mut idle: Vec<_> = (1..PLACES).map(|_| connect(&server)).collect();
        let mut newer = connect(&server);
        assert_eq!(say(&mut newer), "kept");
        assert_eq!(told(&mut idle[0]), "", "the oldest that keeps no place has gone");
        for idle in &mut idle[1..] {
            assert_eq!(say(idle), "kept");
        }
        assert_eq!(say(&mut keeper), "free");
    }

    #[test]
    fn when_all_keep_their_places_another_is_refused_until_one_does_not() {
        let server = server();
        let mut clients: Vec<_> = (0..PLACES).map(|_| connect(&server)).collect();
        for client in &mut clients {
            assert_eq!(say(client), "kept");
        }
        assert_eq!(told(&mut connect(&server)), "full");
        assert_eq!(say(&mut clients[7]), "free");
        assert_eq!(say(&mut connect(&server)), "kept");
        assert_eq!(told(&mut clients[7]), "");
    }

    #[test]
    fn who_has_asked_is_heard_before_others_take_its_place() {
        let gate = Arc::new(Mutex::new(()));
        let server = server_behind(Arc::clone(&gate));
        let shut = gate.lock().expect("not poisoned");
        let _first = connect(&server);
        let mut asks = connect(&server);
        asks.write_all(b"x").expect("sent");
        let _flood: Vec<_> = (0..PLACES + 10).map(|_| connect(&server)).collect();
        drop(shut);
        assert_eq!(told(&mut asks), "kept");
    }

    #[test]
    fn dropped_it_waits_for_nobody_long() {
        let server = server();
        let mut held = connect(&server);
        assert_eq!(say(&mut held), "kept");
        let began = Instant::now();
        drop(server);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(told(&mut held), "");
    }
}
