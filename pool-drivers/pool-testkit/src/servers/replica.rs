//! What is particular to MySQL and MariaDB where one server follows another: by the numbers of its
//! transactions, from the first on, so that no data has to be copied.

use std::fs;
use std::io::ErrorKind;

use super::access::Access;
use super::error::{ServerError, Trying};
use super::ground::Ground;
use super::product::Product;

/// What a server has to be started with for others to follow it.
pub(super) fn settings_to_be_followed(product: Product) -> &'static [&'static str] {
    match product {
        // A replica that takes its server's place can be followed, too.
        Product::MariaDb => &["log-bin=binlog", "log-slave-updates=ON"],
        Product::MySql => &["log-bin=binlog", "gtid-mode=ON", "enforce-gtid-consistency=ON"],
        _ => &[],
    }
}

/// Fails if the server keeps no log that another could follow.
pub(super) fn require_log(primary: &Access) -> Result<(), ServerError> {
    match &*primary.run(&primary.first_database, "SELECT @@log_bin;")? {
        "1" => Ok(()),
        _ => Err(ServerError::Input {
            input: format!("a {} without a binary log", primary.product),
            problem: "cannot be followed; start it with `Setup::followed`".to_owned(),
        }),
    }
}

/// Makes the first data of one server, which all of its kind are given, another's.
pub(super) fn forget_identity(ground: &Ground) -> Result<(), ServerError> {
    // Only MySQL writes it.
    let path = ground.directory.join("data/auto.cnf");
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).trying("remove", path),
        _ => Ok(()),
    }
}

/// Has a server follow another, now and when it is started again.
pub(super) fn follow(replica: &Access, primary: &Access) -> Result<(), ServerError> {
    let Access { host, port, user, password, .. } = primary;
    // What the server's certificate says is not what is tested there.
    let tls = u8::from(primary.authority.is_some());
    let statements = match replica.product {
        Product::MariaDb => format!(
            "CHANGE MASTER TO MASTER_HOST = '{host}', MASTER_PORT = {port}, \
             MASTER_USER = '{user}', MASTER_PASSWORD = '{password}', MASTER_CONNECT_RETRY = 1, \
             MASTER_SSL = {tls}, MASTER_SSL_VERIFY_SERVER_CERT = 0, MASTER_USE_GTID = slave_pos;\n\
             START SLAVE;"
        ),
        _ => format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{host}', SOURCE_PORT = {port}, \
             SOURCE_USER = '{user}', SOURCE_PASSWORD = '{password}', SOURCE_CONNECT_RETRY = 1, \
             SOURCE_SSL = {tls}, GET_SOURCE_PUBLIC_KEY = 1, SOURCE_AUTO_POSITION = 1;\n\
             START REPLICA;"
        ),
    };
    replica.run(&replica.first_database, &statements).map(drop)
}

/// Makes a replica a server of its own, which writes.
pub(super) fn promote(replica: &Access) -> Result<(), ServerError> {
    let statements = match replica.product {
        Product::MariaDb => "STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = OFF;",
        _ => "STOP REPLICA; RESET REPLICA ALL; SET GLOBAL read_only = OFF;",
    };
    replica.run(&replica.first_database, statements).map(drop)
}
