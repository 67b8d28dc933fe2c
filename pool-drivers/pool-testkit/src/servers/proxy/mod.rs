//! What can befall a server on the way to it: a proxy in this process, on plain threads.
//!
//! Here is what it listens to and how it is told what to do; when bytes pass is in `gate`, how they
//! are carried in `link`.

mod gate;
mod link;

use std::io;
use std::mem;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use self::gate::Gate;
use self::link::Link;
use super::access::Access;
use super::error::{ServerError, Trying};
use super::port::{self, Port};

/// How a proxy treats what passes through it. A change takes effect at once, for the connections that
/// are open, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Behaviour {
    /// Everything passes.
    Through,
    /// Everything takes so much longer, each way.
    Delay(Duration),
    /// No more passes than so much a second, each way on each connection.
    Throttle {
        /// How much a second.
        bytes: u32,
    },
    /// Connections are accepted and stay open, and nothing passes: neither bytes nor that one side
    /// hung up. What was sent arrives once this ends.
    BlackHole,
    /// The server sees its connections hang up, and the client is not told. For those connections
    /// that does not end; what the client sends is lost.
    HalfOpen,
    /// New connections are refused. Those that are open go on.
    Refuse,
}

/// A proxy on loopback before one server. Its connections are reset when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    route: Arc<Route>,
    port: Port,
    server: Access,
    /// Absent while connections are refused.
    listening: Mutex<Option<JoinHandle<()>>>,
}

/// What all its threads know.
#[derive(Debug)]
struct Route {
    gate: Gate,
    /// Where new connections lead to: a host and its port.
    end: Mutex<(String, u16)>,
    links: Mutex<Vec<Arc<Link>>>,
}

impl Proxy {
    /// Opens one before `server`, through which everything passes.
    ///
    /// # Errors
    ///
    /// There is no free port.
    pub fn before(server: &Access) -> Result<Self, ServerError> {
        let route = Arc::new(Route {
            gate: Gate::default(),
            end: Mutex::new((server.host.clone(), server.port)),
            links: Mutex::default(),
        });
        let port = port::free()?;
        let proxy = Self { route, port, server: server.clone(), listening: Mutex::default() };
        proxy.listen()?;
        Ok(proxy)
    }

    /// How the server is reached through it.
    #[must_use]
    pub fn access(&self) -> Access {
        let host = Ipv4Addr::LOCALHOST.to_string();
        Access { host, port: self.port.number, ..self.server.clone() }
    }

    /// From now on treats everything so.
    ///
    /// # Errors
    ///
    /// After [`Behaviour::Refuse`] its port cannot be had again.
    pub fn behave(&self, behaviour: Behaviour) -> Result<(), ServerError> {
        self.route.gate.set(behaviour);
        match behaviour {
            Behaviour::Refuse => self.close_door(),
            Behaviour::HalfOpen => {
                self.route.links().iter().for_each(|link| link.lose_server());
            }
            _ => {}
        }
        if behaviour == Behaviour::Refuse { Ok(()) } else { self.listen() }
    }

    /// Leads new connections to another server of the same users. Those that are open stay where they
    /// are, as when a name's address has changed.
    pub fn lead_to(&self, server: &Access) {
        *self.route.end() = (server.host.clone(), server.port);
    }

    /// Resets every connection that is open, to both sides.
    pub fn reset(&self) {
        // Taken out: a connection is closed only once nobody knows it.
        for link in mem::take(&mut *self.route.links()) {
            link.cut();
        }
        // They may be waiting for their turn.
        self.route.gate.wake();
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.route.links().len()
    }

    /// Opens the port, unless it is open.
    fn listen(&self) -> Result<(), ServerError> {
        let mut listening = self.listening();
        if listening.is_none() {
            let task = "listen on the proxy's port";
            let listener =
                TcpListener::bind((Ipv4Addr::LOCALHOST, self.port.number)).trying_to(task)?;
            let route = Arc::clone(&self.route);
            *listening = Some(thread::spawn(move || accept(&listener, &route)));
        }
        Ok(())
    }

    /// Closes the port, which it is when this returns.
    fn close_door(&self) {
        if let Some(thread) = self.listening().take() {
            // Nothing else wakes a thread that waits for the next connection, which this one refuses.
            let _woken = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port.number));
            thread.join().expect("bug: the thread that accepts does not panic");
        }
    }

    fn listening(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.route.gate.set(Behaviour::Refuse);
        self.close_door();
        self.reset();
    }
}

impl Route {
    fn end(&self) -> MutexGuard<'_, (String, u16)> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connections that are open.
    fn links(&self) -> MutexGuard<'_, Vec<Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        let link = Arc::new(Link::new(client)?);
        self.links().push(Arc::clone(&link));
        let route = Arc::clone(self);
        thread::spawn(move || link::carry(&link, &route));
        Ok(())
    }

    fn forget(&self, link: &Arc<Link>) {
        self.links().retain(|other| !Arc::ptr_eq(other, link));
    }
}

/// Takes connections in until they are refused.
fn accept(listener: &TcpListener, route: &Arc<Route>) {
    for client in listener.incoming() {
        if route.gate.behaviour() == Behaviour::Refuse {
            return;
        }
        // A client that has gone already is none.
        let _added = client.and_then(|client| route.add(client));
    }
}
