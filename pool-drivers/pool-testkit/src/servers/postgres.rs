//! What is particular to PostgreSQL: its first data, its settings, its client.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::access::{Access, PASSWORD, USER};
use super::error::{ServerError, Trying};
use super::ground::Ground;
use super::program::{PATIENCE, run_for};
use super::tls::{CERTIFIED_USER, Tls};

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
    fs::remove_file(&password).trying("remove", password)
}

/// Says who may connect: with a password on loopback and on the socket, or by certificate.
pub(super) fn admit(ground: &Ground) -> Result<(), ServerError> {
    let over_tcp = if ground.setup.tls == Tls::Required { "hostssl" } else { "host" };
    let certified = match ground.tls {
        Some(_) => format!("hostssl all {CERTIFIED_USER} 127.0.0.1/32 cert\n"),
        None => String::new(),
    };
    let rules = format!(
        "{certified}\
         local all,replication all scram-sha-256\n\
         {over_tcp} all,replication all 127.0.0.1/32 scram-sha-256\n"
    );
    let path = ground.directory.join("data/pg_hba.conf");
    fs::write(&path, rules).trying("write", path)
}

pub(super) fn server(ground: &Ground) -> Command {
    let mut command = ground.mortal("postgres");
    command.arg("-D").arg(ground.directory.join("data"));
    command.arg("-k").arg(&*ground.directory);
    // What was committed has to survive a killed server, but not a crash of the machine.
    command.args(["-F", "-p", &ground.port.number.to_string()]);
    let connections = format!("max_connections={}", ground.setup.max_connections);
    let own = [
        "listen_addresses=127.0.0.1",
        "full_page_writes=off",
        // In its own folder, so that a killed server leaves none behind.
        "dynamic_shared_memory_type=mmap",
        // A standby can follow without a restart.
        "wal_level=replica",
        &connections,
    ];
    let file = |name: &str, path: &Path| format!("{name}={}", path.display());
    let tls = ground.tls.as_ref().map(|files| {
        [
            "ssl=on".to_owned(),
            file("ssl_cert_file", &files.certificate),
            file("ssl_key_file", &files.key),
            file("ssl_ca_file", &files.authority),
        ]
    });
    for setting in tls.into_iter().flatten() {
        command.args(["-c", &setting]);
    }
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
    command
}

/// Copies the data of a running server for one that will follow it.
pub(super) fn copy_primary(ground: &Ground, primary: &Access) -> Result<(), ServerError> {
    let mut command = ground.program("pg_basebackup");
    command.arg("--pgdata").arg(ground.directory.join("data"));
    command.args([
        "--write-recovery-conf",
        "--wal-method=stream",
        "--checkpoint=fast",
        "--no-sync",
    ]);
    // The primary keeps what the standby has not had, however long that is away.
    command.args(["--create-slot", &format!("--slot=standby_{}", ground.port.number)]);
    command.env("PGHOST", &primary.host).env("PGPORT", primary.port.to_string());
    command.env("PGUSER", &primary.user).env("PGPASSWORD", &primary.password);
    run_for("copy the primary", command, "", PATIENCE).map(drop)
}

/// Removes the shared memory that a killed server left behind, given the server's folder.
///
/// Only what `postmaster.pid` names, by key and number, and nobody uses.
pub(super) fn forget_shared_memory(folder: &Path) {
    let notes = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
    let segments = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    if let Some(number) = unused_segment(&notes, &segments) {
        // It is 56 bytes; what cannot be removed is no loss, but there may only be thousands.
        let _removed = Command::new("ipcrm").args(["--shmem-id", number]).output();
    }
}

/// The segment that the line `key number` of `postmaster.pid` names, if nobody is attached to it.
fn unused_segment<'a>(notes: &'a str, segments: &str) -> Option<&'a str> {
    let named: Vec<_> = notes.lines().nth(6)?.split_whitespace().collect();
    let [key, number] = named[..] else { return None };
    // key shmid perms size cpid lpid nattch ...
    let is_it = |line: &&str| {
        let columns: Vec<_> = line.split_whitespace().collect();
        columns.len() > 6 && columns[..2] == [key, number] && columns[6] == "0"
    };
    segments.lines().find(is_it).map(|_| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_segment_of_this_server_that_nobody_uses_is_forgotten() {
        let notes = "1\n/data\n0\n5432\n/run\n127.0.0.1\n  11043937     98461\nready\n";
        let unused = "key shmid perms\n11043937 98461 600 56 7 7 0 101\n";
        assert_eq!(unused_segment(notes, unused), Some("98461"));
        assert_eq!(unused_segment(notes, &unused.replace("7 7 0", "7 7 3")), None);
        assert_eq!(unused_segment(notes, &unused.replace("11043937", "5")), None);
        assert_eq!(unused_segment("", unused), None);
    }
}
