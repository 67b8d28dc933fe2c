//! A proxy does to connections what it says, before a server that sends everything back.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use pool_testkit::servers::{Access, Behaviour, Product, Proxy};

use super::rig::{LONG, SHORT, eventually};

/// A server that sends back what it gets, and tells when somebody hung up.
struct Echo {
    port: u16,
    ends: Receiver<()>,
}

impl Echo {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
        let port = listener.local_addr().expect("known").port();
        let (sender, ends) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let ended = sender.clone();
                thread::spawn(move || {
                    let mut back = stream.try_clone().expect("cloned");
                    let _copied = std::io::copy(&mut &stream, &mut back);
                    let _told = ended.send(());
                });
            }
        });
        Self { port, ends }
    }

    fn access(&self) -> Access {
        let url = format!("postgres://u:p@127.0.0.1:{}/d", self.port);
        Access::given(Product::Postgres15, &url, "a test").expect("valid")
    }

    fn proxy(&self) -> Proxy {
        Proxy::before(&self.access()).expect("open")
    }
}

fn connected(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.access().port)).expect("accepted");
    stream.set_read_timeout(Some(LONG)).expect("set");
    stream
}

fn send(mut stream: &TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).expect("written");
}

fn receive(mut stream: &TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).expect("an answer");
    bytes
}

#[track_caller]
fn assert_answers(stream: &TcpStream) {
    send(stream, b"ping");
    assert_eq!(receive(stream, 4), b"ping");
}

/// Whether neither bytes nor an end come for a short while.
fn is_silent(mut stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(SHORT)).expect("set");
    let error = stream.read(&mut [0]).expect_err("nothing comes");
    stream.set_read_timeout(Some(LONG)).expect("set");
    error.kind() == ErrorKind::WouldBlock
}

#[test]
fn everything_passes_and_ends_are_passed_on() {
    let echo = Echo::start();
    let proxy = echo.proxy();
    let mut stream = connected(&proxy);
    let sent: Vec<u8> = (0..1_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    let copy = sent.clone();
    let writer = stream.try_clone().expect("cloned");
    thread::spawn(move || {
        send(&writer, &copy);
        writer.shutdown(std::net::Shutdown::Write).expect("ended");
    });
    let mut received = Vec::new();
    stream.read_to_end(&mut received).expect("an end");
    assert_eq!(received.len(), sent.len());
    assert_eq!(received, sent);
    drop(stream);
    eventually("the connection is forgotten", || proxy.connections() == 0);
}

#[test]
fn a_delay_is_paid_each_way_once_however_much_is_under_way() {
    const DELAY: Duration = Duration::from_millis(60);
    let echo = Echo::start();
    let proxy = echo.proxy();
    let stream = connected(&proxy);
    assert_answers(&stream);
    proxy.behave(Behaviour::Delay(DELAY)).expect("delayed");
    let started = Instant::now();
    for number in 0..20 {
        send(&stream, &[number]);
        thread::yield_now();
    }
    assert_eq!(receive(&stream, 20), (0..20).collect::<Vec<u8>>());
    let took = started.elapsed();
    assert!(took >= 2 * DELAY, "{took:?}");
    // One after the other would take 40 delays.
    assert!(took < 20 * DELAY, "{took:?}");
}

#[test]
fn a_throttle_bounds_what_passes_in_a_second() {
    let echo = Echo::start();
    let proxy = echo.proxy();
    let stream = connected(&proxy);
    proxy.behave(Behaviour::Throttle { bytes: 100_000 }).expect("throttled");
    let started = Instant::now();
    let sent = vec![7; 20_000];
    send(&stream, &sent);
    assert_eq!(receive(&stream, 20_000), sent);
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[test]
fn a_black_hole_keeps_what_was_sent_until_it_ends() {
    let echo = Echo::start();
    let proxy = echo.proxy();
    let old = connected(&proxy);
    assert_answers(&old);
    proxy.behave(Behaviour::BlackHole).expect("changed");
    let new = connected(&proxy);
    for stream in [&old, &new] {
        send(stream, b"held");
        assert!(is_silent(stream));
    }
    assert!(echo.ends.try_recv().is_err());
    proxy.behave(Behaviour::Through).expect("changed");
    assert_eq!(receive(&old, 4), b"held");
    assert_eq!(receive(&new, 4), b"held");
}

#[test]
fn a_reset_ends_open_connections_at_once_and_no_later_ones() {
    let echo = Echo::start();
    let proxy = echo.proxy();
    let stream = connected(&proxy);
    assert_answers(&stream);
    proxy.reset();
    let error = (&stream).read(&mut [0]).expect_err("reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    echo.ends.recv_timeout(LONG).expect("the server is told");
    assert_answers(&connected(&proxy));
}

#[test]
fn a_reset_reaches_a_connection_in_a_black_hole() {
    let echo = Echo::start();
    let proxy = echo.proxy();
    let old = connected(&proxy);
    assert_answers(&old);
    proxy.behave(Behaviour::BlackHole).expect("changed");
    let new = connected(&proxy);
    send(&old, b"lost");
    eventually("both are known", || proxy.connections() == 2);
    proxy.reset();
    for mut stream in [&old, &new] {
        let error = stream.read(&mut [0]).expect_err("reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_half_open_connection_is_gone_for_the_server_only() {
    let echo = Echo::start();
    let proxy = echo.proxy();
    let old = connected(&proxy);
    assert_answers(&old);
    proxy.behave(Behaviour::HalfOpen).expect("changed");
    echo.ends.recv_timeout(LONG).expect("the server sees it hang up");
    let new = connected(&proxy);
    for stream in [&old, &new] {
        send(stream, b"lost");
        assert!(is_silent(stream));
    }
    proxy.behave(Behaviour::Through).expect("changed");
    assert!(is_silent(&old));
    assert_answers(&connected(&proxy));
    drop(old);
    drop(new);
    eventually("they are forgotten", || proxy.connections() == 0);
}

#[test]
fn new_connections_are_refused_while_open_ones_go_on() {
    let echo = Echo::start();
    let proxy = echo.proxy();
    let stream = connected(&proxy);
    assert_answers(&stream);
    proxy.behave(Behaviour::Refuse).expect("changed");
    let address = (Ipv4Addr::LOCALHOST, proxy.access().port);
    let error = TcpStream::connect(address).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert_answers(&stream);
    proxy.behave(Behaviour::Through).expect("changed");
    assert_answers(&connected(&proxy));
}

#[test]
fn a_dropped_proxy_leaves_nothing_behind() {
    let echo = Echo::start();
    let proxy = echo.proxy();
    let stream = connected(&proxy);
    assert_answers(&stream);
    let address = (Ipv4Addr::LOCALHOST, proxy.access().port);
    drop(proxy);
    assert!((&stream).read(&mut [0]).is_err());
    assert!(TcpStream::connect(address).is_err());
    echo.ends.recv_timeout(LONG).expect("the server is told");
}

#[test]
fn new_connections_are_led_to_another_server_and_open_ones_stay() {
    let (first, second) = (Echo::start(), Echo::start());
    let proxy = first.proxy();
    let old = connected(&proxy);
    send(&old, b"old");
    assert_eq!(receive(&old, 3), b"old");
    proxy.lead_to(&second.access());
    let new = connected(&proxy);
    send(&new, b"new");
    assert_eq!(receive(&new, 3), b"new");
    send(&old, b"old");
    assert_eq!(receive(&old, 3), b"old");
    drop(new);
    second.ends.recv_timeout(LONG).expect("the new one was there");
    first.ends.try_recv().expect_err("the old one goes on");
}
