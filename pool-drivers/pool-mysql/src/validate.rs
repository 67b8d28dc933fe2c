//! What options can never be right, whatever the pool and the server.

use pool_core::{ConfigError, Problem};

use crate::options::{Address, MysqlOptions, TlsMode};

impl MysqlOptions {
    /// Checks what no connection could be opened with. A pool does this itself, and so does a
    /// connect.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem at once; values are never clamped.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::from_problems(self.problems())
    }

    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(self.address_problem());
        let names = [
            ("user", Some(&self.user)),
            ("database", self.database.as_ref()),
            ("program_name", Some(&self.program_name)),
        ];
        for (field, name) in names {
            let name = name.map_or("", |name| name);
            if name.contains('\0') {
                let why = "a name ends at its first NUL on the wire";
                problems.push(Problem::invalid(field, name, why, "a name without NUL"));
            }
        }
        problems.extend(self.tls_problems());
        problems
    }

    fn address_problem(&self) -> Option<Problem> {
        let Address::Tcp { host, port } = &self.address else { return None };
        if host.is_empty() {
            let allowed = "a name or an address; or socket=PATH";
            return Some(Problem::invalid("host", "", "no host is named", allowed));
        }
        let why = "no server listens there";
        (*port == 0).then(|| Problem::invalid("port", "0", why, "1 to 65535"))
    }

    fn tls_problems(&self) -> Vec<Problem> {
        let mode = self.tls_mode();
        let mut problems = Vec::new();
        let has_socket = matches!(self.address, Address::Socket(_));
        if has_socket && mode != TlsMode::Disable {
            let why = "a unix socket is not encrypted";
            problems.push(Problem::invalid("tls", mode.name(), why, "disable; or a host"));
        }
        let files =
            [("tls_ca", &self.tls_ca), ("tls_cert", &self.tls_cert), ("tls_key", &self.tls_key)];
        for (field, path) in files {
            let Some(path) = path else { continue };
            let value = path.to_string_lossy();
            if mode == TlsMode::Disable {
                let why = "connections are not encrypted (tls is disable)";
                let allowed = "tls=require or tls=verify-full with it";
                problems.push(Problem::invalid(field, value, why, allowed));
            } else if field == "tls_ca" && mode != TlsMode::VerifyFull {
                // Silence would let somebody believe that the authority is checked.
                let why = format!("the certificate is not checked (tls is {})", mode.name());
                problems.push(Problem::invalid(field, value, why, "tls=verify-full with it"));
            }
        }
        for (field, given, other, path) in [
            ("tls_cert", &self.tls_cert, "tls_key", &self.tls_key),
            ("tls_key", &self.tls_key, "tls_cert", &self.tls_cert),
        ] {
            if let (Some(given), None) = (given, path) {
                let why = format!("of no use without {other}");
                problems.push(Problem::invalid(field, given.to_string_lossy(), why, "both"));
            }
        }
        problems
    }
}
