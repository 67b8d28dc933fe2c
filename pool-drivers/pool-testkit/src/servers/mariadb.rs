//! What is particular to MariaDB: its first data, its settings; and the client, which MySQL's is like.

use std::fs;
use std::process::Command;

use super::access::{Access, PASSWORD, USER};
use super::error::{ServerError, Trying};
use super::ground::Ground;
use super::product::Product;
use super::program::{PATIENCE, run_for};
use super::tls::Tls;

/// The scripts that make the tables of a new server, in order, among what came with it.
const SCRIPTS: [&str; 3] = [
    "usr/share/mysql/mysql_system_tables.sql",
    "usr/share/mysql/mysql_performance_tables.sql",
    "usr/share/mysql/mysql_system_tables_data.sql",
];

pub(super) fn initialise(ground: &Ground) -> Result<(), ServerError> {
    let data = ground.directory.join("data");
    fs::create_dir(&data).trying("create", &data)?;
    ground.account.own(&data)?;
    let mut command = ground.program("mariadbd");
    own_folders(ground, command.args(["--no-defaults", "--bootstrap"]));
    command.args(["--enforce-storage-engine=", "--innodb-log-file-size=8M"]);
    let mut statements = String::from(
        "create database if not exists mysql;\nuse mysql;\n\
         SET @auth_root_socket=NULL;\nSET @skip_auth_anonymous=1;\n",
    );
    for script in SCRIPTS {
        let path = ground.installation.file(script);
        statements.push_str(&fs::read_to_string(&path).trying("read", path)?);
        statements.push('\n');
    }
    // `root@localhost` is not who comes over TCP.
    let user = format!(
        "FLUSH PRIVILEGES;\nCREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\n\
         GRANT ALL PRIVILEGES ON *.* TO '{USER}'@'%' WITH GRANT OPTION;\n"
    );
    statements.push_str(&user);
    run_for("prepare MariaDB's data", command, &statements, PATIENCE).map(drop)
}

pub(super) fn server(ground: &Ground) -> Command {
    let mut command = ground.mortal("mariadbd");
    own_folders(ground, command.arg("--no-defaults"));
    let (port, connections) = (ground.port.number, ground.setup.max_connections);
    command.args([&format!("--port={port}"), &format!("--max-connections={connections}")]);
    // Those of one replication have to be told apart.
    command.arg(format!("--server-id={port}"));
    command.arg(format!("--socket={}", ground.directory.join("socket").display()));
    command.arg(format!("--pid-file={}", ground.directory.join("pid").display()));
    command.args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--skip-log-bin"]);
    // What was committed has to survive a killed server, but not a crash of the machine.
    command.args(["--innodb-flush-log-at-trx-commit=2", "--innodb-log-file-size=8M"]);
    // It knows which program a session belongs to.
    command.arg("--performance-schema=ON");
    talk_tls(ground, &mut command);
    command.args(ground.setup.settings.iter().map(|setting| format!("--{setting}")));
    command
}

/// As MySQL does, too.
pub(super) fn talk_tls(ground: &Ground, command: &mut Command) {
    let Some(files) = &ground.tls else { return };
    command.arg(format!("--ssl-ca={}", files.authority.display()));
    command.arg(format!("--ssl-cert={}", files.certificate.display()));
    command.arg(format!("--ssl-key={}", files.key.display()));
    if ground.setup.tls == Tls::Required {
        command.arg("--require-secure-transport=ON");
    }
}

fn own_folders(ground: &Ground, command: &mut Command) {
    command.arg(format!("--datadir={}", ground.directory.join("data").display()));
    let messages = ground.installation.file("usr/share/mysql");
    command.arg(format!("--lc-messages-dir={}", messages.display()));
    command.arg(format!("--character-sets-dir={}", messages.join("charsets").display()));
    command.arg(format!("--tmpdir={}", ground.directory.display()));
}

/// `mariadb` or `mysql` on `database`, waiting for statements.
pub(super) fn client(access: &Access, mut command: Command, database: &str) -> Command {
    command.args(["--no-defaults", "--batch", "--unbuffered", "--skip-column-names"]);
    command.args([
        "--connect-timeout=10",
        "--host",
        &access.host,
        "--port",
        &access.port.to_string(),
    ]);
    command.args(["--protocol=tcp", "--user", &access.user, database]);
    match access.product {
        // Without TLS a password that the server has not seen yet needs the server's key.
        Product::MySql => command.arg("--get-server-public-key"),
        // It talks plainly where TLS is not asked for.
        _ if access.authority.is_some() => command.arg("--ssl"),
        _ => &mut command,
    };
    // Not among the arguments, which every user of the machine sees.
    command.env("MYSQL_PWD", &access.password);
    command
}
