//! What is particular to Oracle's MySQL: its first data, its settings. Its client is MariaDB's like.

use std::fs;
use std::process::Command;

use super::access::{PASSWORD, USER};
use super::error::{ServerError, Trying};
use super::ground::Ground;
use super::mariadb;
use super::program::{PATIENCE, run_for};

pub(super) fn initialise(ground: &Ground) -> Result<(), ServerError> {
    let first = ground.directory.join("first.sql");
    // Each statement has a line of its own. `root@localhost` is not who comes over TCP.
    let statements = format!(
        "CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\n\
         GRANT ALL PRIVILEGES ON *.* TO '{USER}'@'%' WITH GRANT OPTION;\n"
    );
    fs::write(&first, statements).trying("write", &first)?;
    ground.account.own(&first)?;
    let mut command = ground.program("mysqld");
    own_folders(ground, &mut command);
    command.arg("--initialize-insecure").arg(format!("--init-file={}", first.display()));
    run_for("prepare MySQL's data", command, "", PATIENCE)?;
    fs::remove_file(&first).trying("remove", first)
}

pub(super) fn server(ground: &Ground) -> Command {
    let mut command = ground.mortal("mysqld");
    own_folders(ground, &mut command);
    let (port, connections) = (ground.port.number, ground.setup.max_connections);
    command.args([&format!("--port={port}"), &format!("--max-connections={connections}")]);
    // Those of one replication have to be told apart.
    command.arg(format!("--server-id={port}"));
    command.arg(format!("--socket={}", ground.directory.join("socket").display()));
    command.arg(format!("--pid-file={}", ground.directory.join("pid").display()));
    command.args(["--bind-address=127.0.0.1", "--mysqlx=OFF", "--skip-log-bin"]);
    // What was committed has to survive a killed server, but not a crash of the machine.
    command.args(["--skip-name-resolve", "--innodb-doublewrite=OFF"]);
    command.arg("--innodb-flush-log-at-trx-commit=2");
    if ground.tls.is_none() {
        // Otherwise it makes certificates of its own.
        command.arg("--tls-version=");
    }
    mariadb::talk_tls(ground, &mut command);
    command.args(ground.setup.settings.iter().map(|setting| format!("--{setting}")));
    command
}

/// Installed ones know theirs; fetched ones look where they were made to be installed.
fn own_folders(ground: &Ground, command: &mut Command) {
    command.args(["--no-defaults", "--secure-file-priv=", "--innodb-redo-log-capacity=16M"]);
    command.arg(format!("--datadir={}", ground.directory.join("data").display()));
    command.arg(format!("--tmpdir={}", ground.directory.display()));
    if ground.installation.is_fetched() {
        let folder = |option: &str, path: &str| {
            format!("--{option}={}", ground.installation.file(path).display())
        };
        command.arg(folder("basedir", "usr"));
        command.arg(folder("lc-messages-dir", "usr/share/mysql"));
        command.arg(folder("character-sets-dir", "usr/share/mysql/charsets"));
        command.arg(folder("plugin-dir", "usr/lib/mysql/plugin"));
    }
}
