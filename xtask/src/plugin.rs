//! Programs that a Rust toolchain need not have: what each is called and how to get it.
//!
//! Nothing is ever installed from here; the user is told the command that would.

use std::process::Command;

use crate::child;

/// A program that may be missing.
#[derive(Debug)]
pub(crate) struct Plugin {
    /// What it is called where it is documented.
    name: &'static str,
    call: Call,
    /// The one command that brings it.
    install: &'static str,
}

#[derive(Debug)]
enum Call {
    /// `cargo NAME`
    Cargo(&'static str),
    /// `NAME`
    Program(&'static str),
}

pub(crate) const RUSTFMT: Plugin =
    Plugin { name: "rustfmt", call: Call::Cargo("fmt"), install: "rustup component add rustfmt" };
pub(crate) const CLIPPY: Plugin =
    Plugin { name: "clippy", call: Call::Cargo("clippy"), install: "rustup component add clippy" };
pub(crate) const NEXTEST: Plugin = Plugin {
    name: "cargo-nextest",
    call: Call::Cargo("nextest"),
    install: "cargo install cargo-nextest --locked",
};
pub(crate) const DENY: Plugin = Plugin {
    name: "cargo-deny",
    call: Call::Cargo("deny"),
    install: "cargo install cargo-deny --locked",
};
pub(crate) const TYPOS: Plugin = Plugin {
    name: "typos",
    call: Call::Program("typos"),
    install: "cargo install typos-cli --locked",
};

impl Plugin {
    /// The plug-in with `arguments`, ready to start.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        match self.call {
            Call::Cargo(name) => child::cargo(&[&[name], arguments].concat()),
            Call::Program(name) => child::program(name, arguments),
        }
    }

    /// Asks it for its version, the one thing that all of them can tell.
    pub(crate) fn is_present(&self) -> bool {
        child::succeeds(&mut self.command(&["--version"]))
    }

    /// Whether it is there; if not, says what is done without it.
    pub(crate) fn is_present_or_else(&self, without: &str) -> bool {
        let present = self.is_present();
        if !present {
            println!("NOTE: {}", self.missing(without));
        }
        present
    }

    /// That it is missing, what is done `without` it, and how to mend that.
    pub(crate) fn missing(&self, without: &str) -> String {
        format!("{} is not installed, so {without}; to have it: {}", self.name, self.install)
    }
}
