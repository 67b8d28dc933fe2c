//! What is particular to PgBouncer: in transaction mode, before a PostgreSQL of its own.

use std::fs;
use std::process::Command;

use super::access::{PASSWORD, USER};
use super::error::{ServerError, Trying};
use super::ground::Ground;
use super::server::Server;
use super::tls::Tls;

/// Sessions with the server that all clients of a database share.
const POOL_SIZE: u16 = 5;

/// Writes its configuration, which has its port in it.
pub(super) fn configure(ground: &Ground, behind: &Server) -> Result<(), ServerError> {
    let password = ground.directory.join("users");
    write(ground, "users", &format!("\"{USER}\" \"{PASSWORD}\"\n"))?;
    let (port, behind) = (ground.port.number, behind.access().port);
    let connections = ground.setup.max_connections;
    let mut text = format!(
        "[databases]\n* = host=127.0.0.1 port={behind} auth_user={USER}\n\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         pool_mode = transaction\ndefault_pool_size = {POOL_SIZE}\nmax_client_conn = {connections}\n\
         auth_type = scram-sha-256\nauth_file = {}\n",
        password.display()
    );
    if let Some(files) = &ground.tls {
        let mode = if ground.setup.tls == Tls::Required { "require" } else { "allow" };
        text += &[
            format!("client_tls_sslmode = {mode}"),
            format!("client_tls_ca_file = {}", files.authority.display()),
            format!("client_tls_cert_file = {}", files.certificate.display()),
            format!("client_tls_key_file = {}\n", files.key.display()),
        ]
        .join("\n");
    }
    for setting in &ground.setup.settings {
        text.push_str(setting);
        text.push('\n');
    }
    write(ground, "configuration", &text)
}

fn write(ground: &Ground, name: &str, text: &str) -> Result<(), ServerError> {
    let path = ground.directory.join(name);
    fs::write(&path, text).trying("write", &path)?;
    ground.account.own(&path)
}

pub(super) fn server(ground: &Ground) -> Command {
    let mut command = ground.mortal("pgbouncer");
    command.arg(ground.directory.join("configuration"));
    command
}
