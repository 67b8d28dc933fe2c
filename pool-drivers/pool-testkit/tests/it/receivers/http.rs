//! The sink of HTTP requests.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use pool_testkit::receivers::{HttpSink, Reply};

const AGES: Duration = Duration::from_mins(1);

/// Sends `request` and reads to the end of the answer.
fn ask(sink: &HttpSink, request: &str) -> String {
    let mut client = TcpStream::connect(sink.address()).expect("it listens");
    client.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("closed");
    answer
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn a_request_is_told_as_it_came() {
    let sink = HttpSink::start().expect("started");
    let answer =
        ask(&sink, "POST /hook?a=b HTTP/1.1\r\nX-One: 1\r\ncontent-length: 10\r\n\r\n{\"a\": [1]}");
    assert_eq!(status(&answer), "200");
    let request = sink.next(AGES).expect("received");
    assert_eq!((&*request.method, &*request.path), ("POST", "/hook?a=b"));
    assert_eq!(request.header("x-one"), Some("1"));
    assert_eq!(request.json()["a"][0], 1);
    assert_eq!(sink.rest().len(), 0);
}

#[test]
fn a_body_in_chunks_is_put_together() {
    let sink = HttpSink::start().expect("started");
    ask(
        &sink,
        "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    );
    assert_eq!(sink.next(AGES).expect("received").text(), "abcde");
}

#[test]
fn answers_follow_the_script_and_then_the_rule() {
    let sink = HttpSink::start().expect("started");
    sink.answer([Reply::retry_after(429, 7), Reply::redirect("http://127.0.0.1:1/")]);
    sink.answer([Reply::Close]);
    sink.otherwise(Reply::status(503));
    let answers: Vec<_> = (0..5).map(|_| ask(&sink, "GET / HTTP/1.1\r\n\r\n")).collect();
    assert!(answers[0].contains("\r\nRetry-After: 7\r\n"), "{}", answers[0]);
    assert!(answers[1].contains("\r\nLocation: http://127.0.0.1:1/\r\n"), "{}", answers[1]);
    let statuses: Vec<_> = answers.iter().map(|answer| status(answer)).collect();
    assert_eq!(statuses, ["429", "307", "", "503", "503"]);
    assert_eq!(sink.rest().len(), 5, "even those that were not answered were received");
}

#[test]
fn one_that_hangs_holds_nobody_else_up_and_is_closed_with_the_sink() {
    let sink = HttpSink::start().expect("started");
    sink.answer([Reply::Hang]);
    let mut hanging = TcpStream::connect(sink.address()).expect("it listens");
    hanging.write_all(b"GET /first HTTP/1.1\r\n\r\n").expect("sent");
    assert_eq!(sink.next(AGES).expect("received").path, "/first");
    assert_eq!(status(&ask(&sink, "GET /second HTTP/1.1\r\n\r\n")), "200");
    let address = sink.address();
    drop(sink);
    assert_eq!(hanging.read(&mut [0]).expect("closed"), 0);
    // The thread that accepts may take a moment to let go of the port.
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
}

#[test]
fn what_does_not_come_is_not_waited_for_longer_than_that() {
    let sink = HttpSink::start().expect("started");
    let silent = sink.next(Duration::from_millis(1)).expect_err("nobody sent anything");
    assert_eq!(silent.to_string(), "an HTTP request did not come within 1ms");
}
