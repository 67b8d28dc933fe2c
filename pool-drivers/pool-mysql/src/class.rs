//! How lasting an error is, by the server's number for it.

use mysql_async::{DriverError, Error, IoError, ServerError};
use pool_core::ErrorClass;

/// No room: `ER_CON_COUNT_ERROR`, `ER_CANT_CREATE_THREAD`, `ER_TOO_MANY_USER_CONNECTIONS`,
/// `ER_USER_LIMIT_REACHED`.
const OVERLOADED: [u16; 4] = [1040, 1135, 1203, 1226];

/// Nothing that waiting mends.
const PERMANENT: [u16; 15] = [
    1044, // ER_DBACCESS_DENIED_ERROR
    1045, // ER_ACCESS_DENIED_ERROR
    1049, // ER_BAD_DB_ERROR
    1129, // ER_HOST_IS_BLOCKED, until somebody flushes the hosts
    1130, // ER_HOST_NOT_PRIVILEGED
    1227, // ER_SPECIFIC_ACCESS_DENIED_ERROR
    1251, // ER_NOT_SUPPORTED_AUTH_MODE
    1524, // ER_PLUGIN_IS_NOT_LOADED
    1698, // ER_ACCESS_DENIED_NO_PASSWORD_ERROR
    1820, // ER_MUST_CHANGE_PASSWORD
    1862, // ER_MUST_CHANGE_PASSWORD_LOGIN
    3118, // ER_ACCOUNT_HAS_BEEN_LOCKED
    3159, // ER_SECURE_TRANSPORT_REQUIRED
    3955, // ER_USER_ACCESS_DENIED_FOR_USER_ACCOUNT_BLOCKED_BY_PASSWORD_LOCK
    4151, // ER_ACCOUNT_HAS_BEEN_LOCKED of MariaDB
];

pub(crate) fn of(error: &Error) -> ErrorClass {
    match error {
        Error::Server(error) => of_server(error),
        Error::Driver(error) => of_driver(error),
        Error::Io(IoError::Tls(_)) | Error::Url(_) => ErrorClass::Permanent,
        // A refused certificate, a version that neither speaks: wrapped by the TLS stream.
        Error::Io(IoError::Io(error))
            if error
                .get_ref()
                .is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>) =>
        {
            ErrorClass::Permanent
        }
        Error::Io(_) | Error::Other(_) => ErrorClass::Transient,
    }
}

fn of_server(error: &ServerError) -> ErrorClass {
    match error.code {
        code if OVERLOADED.contains(&code) => ErrorClass::Overloaded,
        code if PERMANENT.contains(&code) => ErrorClass::Permanent,
        // ER_READ_ONLY_MODE. ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION (1792) is about the user's own.
        1836 => ErrorClass::RoleChanged,
        // ER_OPTION_PREVENTS_STATEMENT is said of other options, too.
        1290 if error.message.contains("read-only") || error.message.contains("read_only") => {
            ErrorClass::RoleChanged
        }
        _ => ErrorClass::Transient,
    }
}

fn of_driver(error: &DriverError) -> ErrorClass {
    match error {
        DriverError::UnknownAuthPlugin { .. }
        | DriverError::MysqlOldPasswordDisabled
        | DriverError::CleartextPluginDisabled
        | DriverError::NoKeyFound => ErrorClass::Permanent,
        _ => ErrorClass::Transient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: u16, message: &str) -> Error {
        Error::Server(ServerError { code, message: message.into(), state: "HY000".into() })
    }

    #[test]
    fn errors_of_the_server_are_classed_by_their_number() {
        for code in [1040, 1203, 1226] {
            assert_eq!(of(&server(code, "")), ErrorClass::Overloaded, "{code}");
        }
        for code in [1044, 1045, 1049, 1698] {
            assert_eq!(of(&server(code, "")), ErrorClass::Permanent, "{code}");
        }
        assert_eq!(of(&server(1836, "")), ErrorClass::RoleChanged);
        // Killed, shut down, deadlock, a transaction that only reads, 2006 and 2013 as some proxies send them.
        for code in [1053, 1205, 1213, 1317, 1792, 1927, 2006, 2013] {
            assert_eq!(of(&server(code, "")), ErrorClass::Transient, "{code}");
        }
    }

    #[test]
    fn an_option_that_prevents_a_statement_is_a_role_only_if_it_is_about_reading() {
        let text = "The MariaDB server is running with the --read-only option so it cannot execute \
                    this statement";
        assert_eq!(of(&server(1290, text)), ErrorClass::RoleChanged);
        let text = "The MySQL server is running with the --super-read-only option";
        assert_eq!(of(&server(1290, text)), ErrorClass::RoleChanged);
        let text = "The MySQL server is running with the --secure-file-priv option";
        assert_eq!(of(&server(1290, text)), ErrorClass::Transient);
    }

    #[test]
    fn what_the_network_does_may_pass() {
        let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert_eq!(of(&Error::Io(IoError::Io(reset))), ErrorClass::Transient);
        assert_eq!(of(&Error::Driver(DriverError::ConnectionClosed)), ErrorClass::Transient);
    }
}
