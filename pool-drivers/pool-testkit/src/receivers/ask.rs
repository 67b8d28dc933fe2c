//! Questions to a tool by HTTP, an answer each.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Longer than a tool on this machine thinks about an answer.
const EACH: Duration = Duration::from_secs(10);

/// The status and the body.
pub(super) fn get(port: u16, path: &str) -> io::Result<(u16, String)> {
    ask(port, &format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n"))
}

/// The JSON that it answers, whatever the status.
pub(super) fn get_json(port: u16, path: &str) -> io::Result<Value> {
    let (_, body) = get(port, path)?;
    Ok(serde_json::from_str(&body)?)
}

/// Whether it answers that all is well.
pub(super) fn is_well(port: u16, path: &str) -> bool {
    get(port, path).is_ok_and(|(status, _)| status == 200)
}

fn ask(port: u16, request: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(EACH))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    // In HTTP/1.0 the body ends with the connection.
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    status.zip(body).ok_or_else(|| io::Error::other("the answer is no HTTP"))
}

/// A text as a part of a URL's query.
pub(super) fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}
