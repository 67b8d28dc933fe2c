//! What options can never be right, whatever the pool.

use pool_core::{ConfigError, Problem};

use crate::options::{At, ChannelBinding, Host, PostgresOptions, TlsMode};

impl PostgresOptions {
    /// Checks what nothing could be connected to with. A pool does this itself, and so does a
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
        if self.hosts.is_empty() {
            problems.push(Problem::invalid("host", "", "no server is named", "at least one"));
        }
        problems.extend(self.hosts.iter().filter_map(host_problem));
        let texts = [
            ("user", self.user.as_deref()),
            ("dbname", self.database.as_deref()),
            ("application_name", Some(&*self.application_name)),
            ("options", self.options.as_deref()),
        ];
        for (field, text) in texts {
            problems.extend(text.and_then(|text| truncated(field, text)));
        }
        if self.password.as_ref().is_some_and(|password| password.reveal().contains('\0')) {
            let why = "PostgreSQL reads it up to its first NUL";
            problems.push(Problem::invalid("password", "", why, "a password without NUL"));
        }
        problems.extend(self.tls_problems());
        problems
    }

    fn tls_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mode = self.tls.mode;
        if mode == Some(TlsMode::Disable) && self.channel_binding == ChannelBinding::Require {
            let why = "without TLS there is no channel to bind to";
            let allowed = "disable or prefer, or another sslmode";
            problems.push(Problem::invalid("channel_binding", "require", why, allowed));
        }
        let demanding = mode.filter(|mode| !matches!(mode, TlsMode::Disable | TlsMode::Prefer));
        let sockets = self.hosts.iter().filter(|host| matches!(host.at, At::Unix(_)));
        if let (Some(mode), Some(host)) = (demanding, sockets.into_iter().next()) {
            let why = format!("a socket such as {host} has no TLS");
            problems.push(Problem::invalid("sslmode", mode.name(), why, "disable or prefer"));
        }
        let in_clear = |host: &Host| mode.is_none() && self.tls.mode_for(host) == TlsMode::Disable;
        if let Some(host) = self.hosts.first().filter(|_| self.hosts.iter().all(in_clear)) {
            let chain = self.tls.client.as_ref().map(|client| &client.chain);
            let files = [("sslrootcert", self.tls.root_certificates.as_ref()), ("sslcert", chain)];
            for (field, file) in files {
                let Some(file) = file else { continue };
                let why = format!("without sslmode, connections to {host} are not encrypted");
                let allowed = "no file, or sslmode with it";
                problems.push(Problem::invalid(field, file.to_string_lossy(), why, allowed));
            }
        }
        problems
    }
}

fn host_problem(host: &Host) -> Option<Problem> {
    if host.port == 0 {
        let why = "no server listens there";
        return Some(Problem::invalid("port", "0", why, "1 to 65535"));
    }
    match &host.at {
        At::Tcp(name) if name.is_empty() && host.address.is_none() => {
            Some(Problem::invalid("host", "", "no server is named", "a name or an address"))
        }
        At::Tcp(name) => truncated("host", name),
        At::Unix(directory) => truncated("host", &directory.to_string_lossy()),
    }
}

/// A value of which the server would see a part.
fn truncated(field: &str, text: &str) -> Option<Problem> {
    let why = "PostgreSQL reads a value up to its first NUL";
    text.contains('\0').then(|| Problem::invalid(field, text, why, "a value without NUL"))
}
