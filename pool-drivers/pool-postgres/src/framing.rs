//! Where one protocol message ends and the next begins, in a stream cut anywhere.
//!
//! A message is one byte of type, four of length (which counts itself), and a body. Nothing is kept
//! of a body but its start: in `ReadyForQuery` the status of the transaction, in `BackendKeyData` the
//! number of the session.

/// How many bytes of a body are kept.
const START: usize = 4;

/// Type and start of the body: as many bytes as are kept, or all that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u8,
    pub(crate) start: &'a [u8],
}

/// Finds the messages in one direction of a connection.
#[derive(Debug)]
pub(crate) struct Framer {
    header: [u8; 5],
    /// Bytes of the header seen.
    seen: usize,
    /// Bytes of the body to come.
    body: u64,
    start: [u8; START],
    /// Bytes of the start seen.
    kept: usize,
}

impl Framer {
    /// From the beginning of what the server says.
    pub(crate) fn of_server() -> Self {
        Self { header: [0; 5], seen: 0, body: 0, start: [0; START], kept: 0 }
    }

    /// From the beginning of what the client says: its first message has no type, as if that byte
    /// had been seen already.
    pub(crate) fn of_client() -> Self {
        Self { seen: 1, ..Self::of_server() }
    }

    /// Takes in the next bytes and reports each message once its last byte is there.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut report: impl FnMut(Message<'_>)) {
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
                let taken = self.body.min(bytes.len() as u64);
                self.body -= taken;
                let (body, rest) = bytes.split_at(taken as usize);
                let kept = body.len().min(START - self.kept);
                self.start[self.kept..self.kept + kept].copy_from_slice(&body[..kept]);
                self.kept += kept;
                bytes = rest;
            }
            if self.body == 0 {
                report(Message { kind: self.header[0], start: &self.start[..self.kept] });
                *self = Self::of_server();
            }
        }
    }
}

/// The message at the beginning of some bytes, if all of it is there, and what follows it.
fn whole(bytes: &[u8]) -> Option<(Message<'_>, &[u8])> {
    let ([kind, length @ ..], rest) = bytes.split_first_chunk::<5>()?;
    let (body, rest) = rest.split_at_checked(body_length(*length) as usize)?;
    Some((Message { kind: *kind, start: &body[..body.len().min(START)] }, rest))
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

    fn messages(framer: &mut Framer, pieces: &[&[u8]]) -> Vec<(char, Vec<u8>)> {
        let mut found = Vec::new();
        for piece in pieces {
            framer.push(piece, |Message { kind, start }| {
                found.push((char::from(kind), start.to_vec()));
            });
        }
        found
    }

    #[test]
    fn messages_are_found_wherever_the_stream_is_cut() {
        let whole = messages(&mut Framer::of_server(), &[SERVER]);
        let starts: [(_, &[u8]); 6] = [
            ('S', b"a\0b\0"),
            ('K', &[0, 0, 0, 1]),
            ('Z', b"I"),
            ('D', &[0, 1, 0, 0]),
            ('1', b""),
            ('Z', b"T"),
        ];
        assert_eq!(whole, starts.map(|(kind, start)| (kind, start.to_vec())));
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
        let expected: [(_, &[u8]); 3] = [('\0', &[0, 3, 0, 0]), ('Q', b";\0"), ('S', b"")];
        let expected = expected.map(|(kind, start)| (kind, start.to_vec()));
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
