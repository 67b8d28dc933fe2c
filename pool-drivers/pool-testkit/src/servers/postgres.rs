//! What is particular to PostgreSQL: its first data, its settings, its client.

use std::fs;
use std::process::Command;

use super::access::{Access, PASSWORD, USER};
use super::account::Farewell;
use super::error::{ServerError, Trying};
use super::ground::Ground;
use super::program::{PATIENCE, run_for};

/// Everybody shows a password, on loopback and on the socket.
const WHO_MAY: &str = "local all all scram-sha-256\n\
                       host all all 127.0.0.1/32 scram-sha-256\n\
                       local replication all scram-sha-256\n\
                       host replication all 127.0.0.1/32 scram-sha-256\n";

pub(super) fn initialise(ground: &Ground) -> Result<(), ServerError> {
    let password = ground.directory.join("password");
    fs::write(&password, PASSWORD).trying("write", &password)?;
    ground.account.own(&password)?;
    let mut command = ground.program("initdb");
    command.args([
        "--username",
        USER,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
    ]);
    command.args(["--no-sync", "--no-instructions", "--pwfile"]).arg(&password);
    command.arg("--pgdata").arg(ground.directory.join("data"));
    run_for("prepare PostgreSQL's data", command, "", PATIENCE)?;
    fs::remove_file(&password).trying("remove", &password)?;
    let rules = ground.directory.join("data/pg_hba.conf");
    fs::write(&rules, WHO_MAY).trying("write", rules)
}

pub(super) fn server(ground: &Ground) -> Command {
    let mut command = ground.mortal(Farewell::Quit, "postgres");
    command.arg("-D").arg(ground.directory.join("data"));
    command.arg("-k").arg(&*ground.directory);
    // What was committed has to survive a killed server, but not a crash of the machine.
    command.args(["-F", "-p", &ground.port.to_string()]);
    let connections = format!("max_connections={}", ground.setup.max_connections);
    let own = [
        "listen_addresses=127.0.0.1",
        "full_page_writes=off",
        // A standby can follow without a restart.
        "wal_level=replica",
        &connections,
    ];
    let settings = own.into_iter().chain(ground.setup.settings.iter().map(String::as_str));
    for setting in settings {
        command.args(["-c", setting]);
    }
    command
}

/// `psql` on `database`, waiting for statements.
pub(super) fn client(access: &Access, mut command: Command, database: &str) -> Command {
    // Its rows come without a frame, its notices not at all, and the first error ends it.
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database]);
    command.env("PGHOST", &access.host).env("PGPORT", access.port.to_string());
    command.env("PGUSER", &access.user).env("PGPASSWORD", &access.password);
    command.env("PGSSLMODE", "prefer").env("PGCONNECT_TIMEOUT", "10");
    command.env("PGOPTIONS", "-c client_min_messages=warning");
    command
}
