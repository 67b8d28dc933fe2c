//! Texts for property tests of parsers: any at all, and such as are nearly right.

use std::env;
use std::fmt::{Debug, Write as _};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::RngSeed;

use crate::Shown;

/// A password, or the part of one that is looked for.
pub const CANARY: &str = "canary7Qd3";

/// Signs that mean something to a parser, numbers that are too large, and beginnings of escapes.
const SIGNS: &[&str] = &[
    "%",
    "%2",
    "%zz",
    "%00",
    "%FF",
    "%40",
    "%2F",
    "%C3%A4",
    "@",
    ":",
    "://",
    "/",
    "//",
    "?",
    "#",
    "&",
    "&&",
    "=",
    "==",
    ",",
    ";",
    "+",
    "-",
    "_",
    ".",
    "'",
    "''",
    "'''",
    "\"",
    "\\",
    "[",
    "]",
    "[[",
    "{",
    "}",
    "<",
    "|",
    "~",
    "$",
    "*",
    " ",
    "\t",
    "\n",
    "\r\n",
    "\0",
    "\u{7f}",
    "\u{202e}",
    "\u{feff}",
    "\u{e4}",
    "\u{1f980}",
    "0",
    "-1",
    "65536",
    "99999999999999999999999999",
    "1e9",
    "[::1]",
    "::1",
    "127.0.0.1",
    "/run",
    "off",
    "on",
    "1h 30m",
    "18446744073709551615s",
    "pool_",
    "POOL_",
];

/// What stays as it is, and where it is: without these a password would be none, and might be shown.
const KEPT: [&str; 7] =
    [CANARY, "&password=", "?password=", " password=", "password=", "app:", "@"];

/// How property tests are run: on so many texts as the variable `PROPTEST_CASES` says, the same ones
/// each time unless it or `PROPTEST_RNG_SEED` says something, so that what fails is what was changed.
/// A failure leaves no file behind; what it teaches becomes a test of its own.
#[must_use]
pub fn settings() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let is_hunt =
        ["PROPTEST_CASES", "PROPTEST_RNG_SEED"].iter().any(|it| env::var_os(it).is_some());
    if is_hunt { config } else { ProptestConfig { rng_seed: RngSeed::Fixed(0), ..config } }
}

/// Any text, mostly of signs that mean something.
pub fn any_text() -> impl Strategy<Value = String> {
    vec(piece(), 0..10).prop_map(|pieces| pieces.concat())
}

/// A password with the canary in it.
pub fn any_password() -> impl Strategy<Value = String> {
    (any_text(), any_text()).prop_map(|(before, after)| format!("{before}{CANARY}{after}"))
}

/// The same with what is around the canary escaped as a URL demands.
pub fn escaped_password() -> impl Strategy<Value = String> {
    (escaped(any_text()), escaped(any_text()))
        .prop_map(|((_, before), (_, after))| format!("{before}{CANARY}{after}"))
}

/// Text, and the same as a URL may hold it: what must be escaped is, and now and then what need not.
pub fn escaped(text: impl Strategy<Value = String>) -> impl Strategy<Value = (String, String)> {
    (text, any::<u64>()).prop_map(|(text, mut coins)| {
        let escaped = text.bytes().fold(String::new(), |mut escaped, byte| {
            coins = coins.rotate_left(1);
            let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            if is_plain && coins % 2 == 0 {
                escaped.push(char::from(byte));
            } else if coins % 3 == 0 {
                write!(escaped, "%{byte:02x}").expect("a String takes it");
            } else {
                write!(escaped, "%{byte:02X}").expect("a String takes it");
            }
            escaped
        });
        (text, escaped)
    })
}

/// Text changed in a few places. The canary stays, and the signs by which it is a password: `app:`
/// before it and `@` behind it, or `password=`. Nor does another parameter begin between `password=`
/// and the canary: in `password= host=canary` it is a host.
pub fn mangled(text: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (text, vec(change(), 0..4)).prop_map(|(text, changes)| {
        let mut pieces = pieces(&text);
        for change in changes {
            change.make(&mut pieces);
        }
        forget_parameters_within(&mut pieces);
        pieces.concat()
    })
}

/// Text of which the end is missing.
pub fn cut_off(text: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (text, any::<Index>()).prop_map(|(text, at)| {
        let pieces = pieces(&text);
        pieces[..at.index(pieces.len() + 1)].concat()
    })
}

/// Takes each `=` and `&` from between what says that a password begins and the canary.
fn forget_parameters_within(pieces: &mut [String]) {
    let Some(canary) = pieces.iter().position(|piece| piece == CANARY) else { return };
    let begins = |piece: &String| piece.ends_with("password=") || piece == "app:";
    let Some(sign) = pieces[..canary].iter().rposition(begins) else { return };
    for piece in &mut pieces[sign + 1..canary] {
        piece.retain(|sign| !"=&".contains(sign));
    }
}

/// Fails if the canary is shown by what was read, or by what is said of it and its causes.
///
/// # Panics
///
/// It is shown.
#[track_caller]
pub fn expect_silence<T: Debug, E: std::error::Error>(read: &Result<T, E>) {
    let shown = Shown::start();
    match read {
        Ok(read) => shown.note(read),
        Err(error) => shown.note_error(error),
    }
    shown.expect_no(CANARY);
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(SIGNS).prop_map(str::to_owned),
        2 => "[a-zA-Z0-9_]{1,4}",
        1 => any::<char>().prop_map(String::from),
    ]
}

/// Its characters, and in one piece what says that there is a password.
fn pieces(text: &str) -> Vec<String> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let kept = KEPT.into_iter().find(|kept| rest.starts_with(kept));
        let (piece, others) = rest.split_at(kept.map_or(first.len_utf8(), str::len));
        pieces.push(piece.to_owned());
        rest = others;
    }
    pieces
}

#[derive(Clone, Debug)]
enum Change {
    Insert(Index, String),
    Replace(Index, String),
    Remove(Index),
    /// From one place to the other once more, behind the second.
    Repeat(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        (at(), piece()).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (at(), piece()).prop_map(|(at, piece)| Change::Replace(at, piece)),
        at().prop_map(Change::Remove),
        (at(), at()).prop_map(|(from, to)| Change::Repeat(from, to)),
    ]
}

impl Change {
    fn make(self, pieces: &mut Vec<String>) {
        let count = pieces.len();
        let place = |at: Index| (count > 0).then(|| at.index(count));
        let is_kept = |at: usize| KEPT.contains(&&*pieces[at]);
        match self {
            Self::Insert(at, piece) => pieces.insert(at.index(count + 1), piece),
            Self::Replace(at, piece) => {
                if let Some(at) = place(at).filter(|at| !is_kept(*at)) {
                    pieces[at] = piece;
                }
            }
            Self::Remove(at) => {
                if let Some(at) = place(at).filter(|at| !is_kept(*at)) {
                    pieces.remove(at);
                }
            }
            Self::Repeat(one, other) => {
                if let (Some(one), Some(other)) = (place(one), place(other)) {
                    let (begin, end) = (one.min(other), one.max(other));
                    let part = pieces[begin..end].iter().filter(|it| !KEPT.contains(&&***it));
                    let part: Vec<_> = part.cloned().collect();
                    pieces.splice(end..end, part);
                }
            }
        }
    }
}
