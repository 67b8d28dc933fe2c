//! The table of faults: what each test has told that brought one upon a real server, and that none is
//! missing.

use std::fmt;
use std::fs;
use std::path::Path;

use pool_testkit::FaultRow;

const POSTGRES: &str = "postgres-15";
const MARIADB: &str = "mariadb";
const SQLITE: &str = "sqlite";

/// Each fault, and the servers that it has to have befallen.
const FAULTS: [(&str, &[&str]); 13] = [
    ("held still for 10 s (SIGSTOP)", &[POSTGRES, MARIADB]),
    ("killed (kill -9), started again", &[POSTGRES, MARIADB]),
    ("standby promoted, behind a router", &[POSTGRES, MARIADB]),
    ("primary demoted, its name moves", &[POSTGRES, MARIADB]),
    ("replication paused", &[POSTGRES, MARIADB]),
    ("max_connections filled by others", &[POSTGRES, MARIADB]),
    ("connections half open", &[POSTGRES, MARIADB]),
    ("black hole on the way", &[POSTGRES, MARIADB]),
    ("disk full", &[SQLITE]),
    ("password changed, twice", &[POSTGRES, MARIADB]),
    ("10 edits of a file in 1 s", &[POSTGRES, POSTGRES, POSTGRES]),
    ("storm of 500 SIGHUPs", &[POSTGRES]),
    ("reconfigured 20 times, full load", &[POSTGRES, MARIADB, SQLITE]),
];

/// What is known of faults.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<FaultRow>,
    missing: Vec<String>,
}

impl Table {
    /// What tests have told in this file.
    pub(super) fn read(path: &Path) -> Self {
        Self::of(&fs::read_to_string(path).unwrap_or_default())
    }

    fn of(told: &str) -> Self {
        let mut told: Vec<_> = told.lines().filter_map(FaultRow::read).collect();
        let (mut rows, mut missing) = (Vec::new(), Vec::new());
        for (fault, servers) in FAULTS {
            for server in servers {
                // What follows the name is how it was done.
                let is_it = |row: &FaultRow| row.fault.starts_with(fault) && row.server == *server;
                match told.iter().position(is_it) {
                    Some(index) => rows.push(told.remove(index)),
                    None => missing.push(format!("{fault} on {server}")),
                }
            }
        }
        rows.append(&mut told);
        Self { rows, missing }
    }

    /// The faults that no test has told of.
    pub(super) fn missing(&self) -> &[String] {
        &self.missing
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&FaultRow::heading())?;
        self.rows.iter().try_for_each(|row| write!(f, "\n{row}"))?;
        self.missing.iter().try_for_each(|fault| write!(f, "\nMISSING: {fault}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_nobody_tells_of_is_missing() {
        let line =
            |fault: &str, server: &str| format!("{fault}\t{server}\tfalls\t900\t-\t9\t1\t0\t0\n");
        let mut told = String::new();
        for (fault, servers) in FAULTS.iter().rev() {
            servers.iter().for_each(|server| told.push_str(&line(fault, server)));
        }
        let whole = Table::of(&told);
        assert!(whole.missing().is_empty(), "{whole}");
        assert_eq!(whole.rows[0].fault, FAULTS[0].0, "in their order");
        let without = told.replacen(&line("disk full", SQLITE), &line("disk full?", MARIADB), 1);
        let table = Table::of(&without);
        assert_eq!(table.missing(), ["disk full on sqlite"]);
        assert!(table.to_string().ends_with("MISSING: disk full on sqlite"), "{table}");
        let last = table.rows.last().expect("rows");
        assert_eq!((&*last.fault, &*last.server), ("disk full?", MARIADB), "what is new is shown");
    }
}
