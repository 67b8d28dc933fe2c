//! Stands before the test server, and looks at how connections begin.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use pool_postgres::At;

use crate::rig::server;

/// The first eight bytes that a client says: a length and a code.
pub(crate) type Beginning = [u8; 8];

pub(crate) const CANCEL: Beginning = [0, 0, 0, 16, 4, 210, 22, 46];
pub(crate) const TLS: Beginning = [0, 0, 0, 8, 4, 210, 22, 47];

/// Passes everything on, on a port of its own.
pub(crate) struct Relay {
    pub(crate) port: u16,
    beginnings: Arc<Mutex<Vec<Beginning>>>,
}

impl Relay {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
        let port = listener.local_addr().expect("bound").port();
        let beginnings = Arc::<Mutex<Vec<Beginning>>>::default();
        let seen = Arc::clone(&beginnings);
        thread::spawn(move || {
            for client in listener.incoming() {
                let seen = Arc::clone(&seen);
                thread::spawn(move || pass_on(client.expect("accepted"), &seen));
            }
        });
        Self { port, beginnings }
    }

    /// How each connection began.
    pub(crate) fn beginnings(&self) -> Vec<Beginning> {
        self.beginnings.lock().expect("not poisoned").clone()
    }
}

fn pass_on(mut client: TcpStream, seen: &Mutex<Vec<Beginning>>) {
    let host = server().hosts.remove(0);
    let At::Tcp(name) = host.at else { panic!("the tests go by TCP") };
    let mut server = TcpStream::connect((name, host.port)).expect("connected");
    let mut beginning = Beginning::default();
    client.read_exact(&mut beginning).expect("a beginning");
    server.write_all(&beginning).expect("passed on");
    seen.lock().expect("not poisoned").push(beginning);
    if beginning == CANCEL {
        let mut key = [0; 8];
        client.read_exact(&mut key).expect("a key");
        // A client that hangs up, if only by half, is seen to do so now.
        client.set_read_timeout(Some(Duration::from_millis(50))).expect("set");
        assert!(client.read(&mut [0]).is_err(), "it does not wait for its cancel");
        server.write_all(&key).expect("passed on");
    }
    let [mut from, mut to] = [&client, &server].map(|it| it.try_clone().expect("cloned"));
    client.set_read_timeout(None).expect("set");
    thread::spawn(move || io::copy(&mut from, &mut to));
    let _ = io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
}
