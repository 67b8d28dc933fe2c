//! Where one protocol message ends and the next begins, in a stream cut anywhere.
//!
//! A message is one byte of type, four of length (which counts itself), and a body. Nothing is kept
//! of a body but its first byte, which in `ReadyForQuery` is the status of the transaction.

/// Type and first byte of the body, if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: u8,
    pub(crate) first: Option<u8>,
}

/// Finds the messages in one direction of a connection.
#[derive(Debug)]
pub(crate) struct Framer {
    header: [u8; 5],
    /// Bytes of the header seen.
    seen: usize,
    /// Bytes of the body to come.
    body: u64,
    first: Option<u8>,
}

impl Framer {
    /// From the beginning of what the server says.
    pub(crate) fn of_server() -> Self {
        Self { header: [0; 5], seen: 0, body: 0, first: None }
    }

    /// From the beginning of what the client says: its first message has no type, as if that byte
    /// had been seen already.
    pub(crate) fn of_client() -> Self {
        Self { seen: 1, ..Self::of_server() }
    }

    /// Takes in the next bytes and reports each message once its last byte is there.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut report: impl FnMut(Message)) {
        while !bytes.is_empty() {
            // Most come whole, and need nothing kept.
            if self.seen == 0
                && let Some((message, rest)) = whole(bytes)
            {
                report(message);
                bytes = rest;
                continue;
            }
            if self.seen < self.header.len() {
                let taken = bytes.len().min(self.header.len() - self.seen);
                self.header[self.seen..self.seen + taken].copy_from_slice(&bytes[..taken]);
                self.seen += taken;
                bytes = &bytes[taken..];
                if self.seen < self.header.len() {
                    return;
                }
                let [_, length @ ..] = self.header;
                self.body = u64::from(body_length(length));
            } else {
                if self.first.is_none() {
                    self.first = bytes.first().copied();
                }
                let taken = self.body.min(bytes.len() as u64);
                self.body -= taken;
                bytes = &bytes[taken as usize..];
            }
            if self.body == 0 {
                report(Message { kind: self.header[0], first: self.first });
                *self = Self::of_server();
            }
        }
    }
}

/// The message at the beginning of some bytes, if all of it is there, and what follows it.
fn whole(bytes: &[u8]) -> Option<(Message, &[u8])> {
    let ([kind, length @ ..], rest) = bytes.split_first_chunk::<5>()?;
    let (body, rest) = rest.split_at_checked(body_length(*length) as usize)?;
    Some((Message { kind: *kind, first: body.first().copied() }, rest))
}

/// How long a message's body is. A length below four, which counts itself, is a broken stream, which
/// the client will refuse.
fn body_length(length: [u8; 4]) -> u32 {
    u32::from_be_bytes(length).saturating_sub(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server says after a login: parameter, key, ready; a row; ready in a transaction.
    const SERVER: &[u8] = b"S\0\0\0\x08a\0b\0K\0\0\0\x0c\0\0\0\x01\0\0\0\x02Z\0\0\0\x05I\
        D\0\0\0\x0b\0\x01\0\0\0\x01Z1\0\0\0\x04Z\0\0\0\x05T";
    const CLIENT: &[u8] = b"\0\0\0\x0a\0\x03\0\0u\0Q\0\0\0\x06;\0S\0\0\0\x04";

    fn messages(framer: &mut Framer, pieces: &[&[u8]]) -> Vec<(char, Option<char>)> {
        let mut found = Vec::new();
        for piece in pieces {
            framer.push(piece, |Message { kind, first }| {
                found.push((char::from(kind), first.map(char::from)));
            });
        }
        found
    }

    #[test]
    fn messages_are_found_wherever_the_stream_is_cut() {
        let whole = messages(&mut Framer::of_server(), &[SERVER]);
        let statuses: Vec<_> = whole.iter().filter(|(kind, _)| *kind == 'Z').collect();
        assert_eq!(statuses, [&('Z', Some('I')), &('Z', Some('T'))], "{whole:?}");
        assert_eq!(whole.len(), 6);
        for first in 0..=SERVER.len() {
            for second in first..=SERVER.len() {
                let pieces = [&SERVER[..first], &SERVER[first..second], &SERVER[second..]];
                assert_eq!(messages(&mut Framer::of_server(), &pieces), whole, "{first} {second}");
            }
        }
        let bytes: Vec<_> = SERVER.chunks(1).collect();
        assert_eq!(messages(&mut Framer::of_server(), &bytes), whole);
    }

    #[test]
    fn a_clients_first_message_has_no_type() {
        let expected = [('\0', Some('\0')), ('Q', Some(';')), ('S', None)];
        for cut in 0..=CLIENT.len() {
            let pieces = [&CLIENT[..cut], &CLIENT[cut..]];
            assert_eq!(messages(&mut Framer::of_client(), &pieces), expected, "{cut}");
        }
    }

    #[test]
    fn a_length_that_cannot_be_ends_its_message_at_once() {
        let stream = b"Z\0\0\0\0Q\0\0\0\x04";
        assert_eq!(messages(&mut Framer::of_server(), &[stream]).len(), 2);
        let bytes: Vec<_> = stream.chunks(1).collect();
        assert_eq!(messages(&mut Framer::of_server(), &bytes).len(), 2);
    }
}
