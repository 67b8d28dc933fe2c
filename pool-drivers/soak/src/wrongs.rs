//! What must not be and was.

use std::fmt;
use std::sync::Mutex;

/// More are counted, not kept: the program's own memory is measured.
const MOST: usize = 20;

/// All that was wrong in a run. Each is told when it is found.
#[derive(Debug, Default)]
pub(crate) struct Wrongs(Mutex<Found>);

#[derive(Debug, Default)]
struct Found {
    first: Vec<String>,
    count: usize,
}

impl Wrongs {
    pub(crate) fn add(&self, what: impl fmt::Display) {
        println!("WRONG: {what}");
        let mut found = self.0.lock().expect("no panic with it");
        found.count += 1;
        if found.first.len() < MOST {
            found.first.push(what.to_string());
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().expect("no panic with it").count
    }

    /// The first ones.
    pub(crate) fn first(&self) -> Vec<String> {
        self.0.lock().expect("no panic with it").first.clone()
    }
}
