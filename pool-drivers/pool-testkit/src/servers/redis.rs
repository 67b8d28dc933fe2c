//! What is particular to Redis, which is here for the managers of other pools.

use std::process::Command;

use super::access::{Access, PASSWORD};
use super::ground::Ground;

pub(super) fn server(ground: &Ground) -> Command {
    let mut command = ground.mortal("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &ground.port.number.to_string()]);
    command.args(["--save", "", "--requirepass", PASSWORD]);
    command.args(["--maxclients", &ground.setup.max_connections.to_string()]);
    for setting in &ground.setup.settings {
        let (name, value) = setting.split_once('=').unwrap_or((setting, "yes"));
        command.arg(format!("--{name}")).arg(value);
    }
    command
}

/// `redis-cli` on a database, which is a number, waiting for commands. It tells refusals
/// as answers.
pub(super) fn client(access: &Access, mut command: Command, database: &str) -> Command {
    command.args(["-h", &access.host, "-p", &access.port.to_string(), "-n", database]);
    command.env("REDISCLI_AUTH", &access.password);
    command
}
