//! The verifier of signatures.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use pool_testkit::receivers::{HttpSink, Verdict, verify_webhook};

#[test]
fn what_was_not_signed_with_the_secret_or_long_ago_is_refused_with_the_reason() {
    let sink = HttpSink::start().expect("started");
    let request = |signature: &str, timestamp: &str| {
        let mut client = TcpStream::connect(sink.address()).expect("it listens");
        let request = format!(
            "POST / HTTP/1.1\r\nWebhook-Id: msg_1\r\nWebhook-Timestamp: {timestamp}\r\n\
             Webhook-Signature: {signature}\r\nContent-Length: 2\r\n\r\n{{}}"
        );
        client.write_all(request.as_bytes()).expect("sent");
        sink.next(Duration::from_mins(1)).expect("received")
    };
    let refusal = |signature, timestamp| {
        verify_webhook("whsec_c2VjcmV0", &request(signature, timestamp)).expect("judged")
    };
    let refused = |why: &str| Verdict::Refused(why.to_owned());
    let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs().to_string();
    assert_eq!(refusal("v1,AAAA", &now), refused("No matching signature found"));
    assert_eq!(refusal("v1,AAAA", "1"), refused("Message timestamp too old"));
    verify_webhook("whsec_a", &request("v1,AAAA", &now)).expect_err("no secret");
}
