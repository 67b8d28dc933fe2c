//! The endpoint over gRPC, asked by the client of `tonic-health`, and by hostile ones.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pool_health::{GrpcEndpoint, GrpcOptions, HealthOptions, HealthState, Probes, ServeError};
use pool_testkit::{Answer, Call};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Streaming};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::rig::Rig;

const AGES: Duration = Duration::from_mins(1);

/// What a client of HTTP/2 begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
/// The type of a frame of headers.
const HEADERS: u8 = 1;

fn options() -> GrpcOptions {
    GrpcOptions { address: "127.0.0.1:0".parse().expect("an address") }
}

/// Probes that require a pool, where they are answered, and what drives clients.
struct Served {
    rig: Rig,
    probes: Probes,
    endpoint: Option<GrpcEndpoint>,
    runtime: Runtime,
}

impl Served {
    fn new(rig: Rig) -> Self {
        let served = Self::without_pool(rig);
        served.probes.require(Arc::clone(&served.rig.checker));
        served
    }

    fn without_pool(rig: Rig) -> Self {
        let probes = Probes::new();
        let endpoint = GrpcEndpoint::start(&options(), &probes).expect("started");
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { rig, probes, endpoint: Some(endpoint), runtime }
    }

    fn well() -> Self {
        Self::new(Rig::well(HealthOptions::default()))
    }

    fn endpoint(&self) -> &GrpcEndpoint {
        self.endpoint.as_ref().expect("it is there")
    }

    fn client(&self) -> HealthClient<Channel> {
        let address = format!("http://{}", self.endpoint().address());
        let endpoint = Endpoint::from_shared(address).expect("a URL").timeout(AGES);
        let _inside = self.runtime.enter();
        HealthClient::new(endpoint.connect_lazy())
    }

    fn check(
        &self,
        client: &mut HealthClient<Channel>,
        service: &str,
    ) -> Result<ServingStatus, Code> {
        let checked = self.runtime.block_on(client.check(request(service)));
        checked.map(|answer| answer.get_ref().status()).map_err(|status| status.code())
    }

    /// The four services, in words.
    fn statuses(&self, client: &mut HealthClient<Channel>) -> String {
        let status = |service| match self.check(client, service) {
            Ok(ServingStatus::Serving) => "serves",
            Ok(ServingStatus::NotServing) => "not",
            other => panic!("{service}: {other:?}"),
        };
        ["live", "", "started", "fake"].map(status).join(" ")
    }

    fn watch(&self, client: &mut HealthClient<Channel>, service: &str) -> Result<Watched, Code> {
        let watched = self.runtime.block_on(client.watch(request(service)));
        watched.map(tonic::Response::into_inner).map_err(|status| status.code())
    }

    /// What a watch is told next; nothing if it has ended.
    fn told(&self, watched: &mut Watched) -> Option<ServingStatus> {
        let told = self.runtime.block_on(async { timeout(AGES, watched.message()).await });
        told.expect("in time").ok().flatten().map(|told| told.status())
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.endpoint().address()).expect("it listens");
        stream.set_read_timeout(Some(AGES)).expect("set");
        stream
    }
}

type Watched = Streaming<HealthCheckResponse>;

fn request(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[test]
fn a_check_follows_the_pool_and_the_end_of_the_program() {
    let served = Served::new(Rig::new(HealthOptions::default()));
    let client = &mut served.client();
    assert_eq!(served.statuses(client), "serves not not not", "nothing is known yet");
    served.rig.sim.run();
    assert_eq!(served.statuses(client), "serves serves serves serves");
    served.rig.server.always(Call::Connect, Answer::Error);
    served.rig.server.always(Call::Check, Answer::Error);
    served.rig.until_it_is(HealthState::Degraded);
    assert_eq!(served.statuses(client), "serves serves serves serves");
    served.rig.until_it_is(HealthState::Unhealthy);
    assert_eq!(served.statuses(client), "serves not serves not");
    served.rig.server.heal();
    served.rig.until_it_is(HealthState::Healthy);
    assert_eq!(served.statuses(client), "serves serves serves serves");
    served.probes.end();
    assert_eq!(served.statuses(client), "serves not serves serves");
    assert_eq!(served.check(client, "orders"), Err(Code::NotFound));
}

#[test]
fn a_watch_is_told_of_changes_and_of_nothing_else() {
    let served = Served::well();
    let client = &mut served.client();
    let mut pool = served.watch(client, "fake").expect("watched");
    let mut program = served.watch(client, "").expect("watched");
    assert_eq!(served.told(&mut pool), Some(ServingStatus::Serving));
    assert_eq!(served.told(&mut program), Some(ServingStatus::Serving));
    served.rig.server.always(Call::Connect, Answer::Error);
    served.rig.server.always(Call::Check, Answer::Error);
    served.rig.until_it_is(HealthState::Unhealthy);
    assert_eq!(served.told(&mut pool), Some(ServingStatus::NotServing));
    assert_eq!(served.told(&mut program), Some(ServingStatus::NotServing));
    served.rig.server.heal();
    served.rig.until_it_is(HealthState::Healthy);
    assert_eq!(served.told(&mut pool), Some(ServingStatus::Serving));
    assert_eq!(served.told(&mut program), Some(ServingStatus::Serving));
    served.probes.end();
    assert_eq!(served.told(&mut program), Some(ServingStatus::NotServing));
}

#[test]
fn a_watch_of_a_pool_that_is_not_there_yet_waits_for_it() {
    let served = Served::without_pool(Rig::well(HealthOptions::default()));
    let mut watched = served.watch(&mut served.client(), "fake").expect("watched");
    assert_eq!(served.told(&mut watched), Some(ServingStatus::ServiceUnknown));
    served.probes.show(Arc::clone(&served.rig.checker));
    assert_eq!(served.told(&mut watched), Some(ServingStatus::Serving));
}

#[test]
fn watches_end_with_the_endpoint_and_it_waits_for_none() {
    let mut served = Served::well();
    let mut watched = served.watch(&mut served.client(), "").expect("watched");
    assert_eq!(served.told(&mut watched), Some(ServingStatus::Serving));
    let began = Instant::now();
    drop(served.endpoint.take());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(served.told(&mut watched), None);
}

#[test]
fn watches_are_bounded_and_leave_room_for_those_who_check() {
    let served = Served::well();
    let mut clients: Vec<_> = (0..32).map(|_| served.client()).collect();
    let mut watches: Vec<_> =
        clients.iter_mut().map(|client| served.watch(client, "").expect("watched")).collect();
    for watched in &mut watches {
        assert_eq!(served.told(watched), Some(ServingStatus::Serving));
    }
    let one_more = &mut served.client();
    assert_eq!(served.watch(one_more, "").map(drop), Err(Code::ResourceExhausted));
    let _idle: Vec<_> = (0..64).map(|_| served.connect()).collect();
    assert_eq!(served.check(&mut served.client(), ""), Ok(ServingStatus::Serving));
    served.probes.end();
    for watched in &mut watches {
        assert_eq!(served.told(watched), Some(ServingStatus::NotServing), "it kept its place");
    }
    drop(watches.pop());
    let began = Instant::now();
    while served.watch(one_more, "").is_err() {
        assert!(began.elapsed() < AGES, "a watch was given up");
    }
}

#[test]
fn who_never_asks_is_let_go() {
    let served = Served::well();
    let began = Instant::now();
    let says = [b"".to_vec(), PREFACE[..10].to_vec(), [PREFACE, SETTINGS].concat()];
    let mut clients = says.map(|says| {
        let mut client = served.connect();
        client.write_all(&says).expect("sent");
        client
    });
    assert_eq!(served.check(&mut served.client(), ""), Ok(ServingStatus::Serving));
    for client in &mut clients {
        // Closed with something unread, it is reset.
        let _end = client.read_to_end(&mut Vec::new());
    }
    let took = began.elapsed();
    assert!((Duration::from_secs(4)..Duration::from_secs(30)).contains(&took), "{took:?}");
}

#[test]
fn a_request_whose_message_never_comes_is_answered() {
    let served = Served::well();
    let field = |name: &[u8], value: &str| {
        let length = u8::try_from(value.len()).expect("short");
        [name, &[length], value.as_bytes()].concat()
    };
    // As in RFC 7541: POST and http by their numbers, four fields that are not indexed.
    let headers = [
        vec![0x83, 0x86],
        field(&[0x04], "/grpc.health.v1.Health/Check"),
        field(&[0x01], "localhost"),
        field(&[0x0f, 0x10], "application/grpc"),
        field(&[0x00, 0x02, b't', b'e'], "trailers"),
    ]
    .concat();
    let length = u8::try_from(headers.len()).expect("short");
    // All headers, and not the end of the first stream.
    let frame = [&[0, 0, length, HEADERS, 0x04, 0, 0, 0, 1], &headers[..]].concat();
    let mut client = served.connect();
    let began = Instant::now();
    client.write_all(&[PREFACE, SETTINGS, &frame].concat()).expect("sent");
    loop {
        let mut head = [0; 9];
        client.read_exact(&mut head).expect("an answer");
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        client.read_exact(&mut vec![0; length]).expect("all of it");
        if head[3] == HEADERS {
            break;
        }
    }
    let took = began.elapsed();
    assert!((Duration::from_secs(4)..Duration::from_secs(15)).contains(&took), "{took:?}");
}

#[test]
fn what_is_no_check_is_refused() {
    let served = Served::well();
    let client = &mut served.client();
    assert_eq!(served.check(client, &"x".repeat(100_000)), Err(Code::OutOfRange));
    assert_eq!(served.check(client, &"x".repeat(1_000)), Err(Code::NotFound));
    let mut other = served.connect();
    other.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    let _end = other.read_to_end(&mut Vec::new());
    assert_eq!(served.statuses(client), "serves serves serves serves");
}

#[test]
fn an_address_in_use_is_named() {
    let served = Served::well();
    let address = served.endpoint().address();
    let error = GrpcEndpoint::start(&GrpcOptions { address }, &served.probes).expect_err("in use");
    assert!(matches!(error, ServeError::Listen { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("cannot listen on {address} for probes"));
}
