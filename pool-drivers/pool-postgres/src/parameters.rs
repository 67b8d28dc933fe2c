//! The one table of parameters, for URLs and connection strings alike, by PostgreSQL's names.
//!
//! How the pairs are taken out of a text is in `url.rs` and `dsn.rs`; parameters of the pool are not
//! here. No value of a password is ever part of a [`Problem`].

use std::net::IpAddr;
use std::time::Duration;

use pool_core::url::{Parameter, choice};
use pool_core::{ConfigError, FleetName, MemberId, Problem, parse_duration};

use crate::options::{
    At, ChannelBinding, ClientCertificate, DEFAULT_PORT, Host, Hygiene, LoadBalance,
    PostgresOptions, TargetSession, TlsMode,
};

/// What is understood.
const PARAMETERS: &[Parameter<Draft>] = &[
    Parameter {
        name: "host",
        allowed: "names, addresses or socket directories, separated by commas",
        write: |draft, text| put(&mut draft.hosts, list(text)),
    },
    Parameter {
        name: "hostaddr",
        allowed: "addresses, separated by commas",
        write: |draft, text| {
            let address = |text: &String| match text.as_str() {
                "" => Ok(None),
                text => text.parse().map(Some),
            };
            let addresses = list(text).iter().map(address).collect::<Result<_, _>>().ok()?;
            put(&mut draft.addresses, addresses)
        },
    },
    Parameter {
        name: "port",
        allowed: "one number from 1 to 65535, or one for each host, separated by commas",
        write: |draft, text| {
            let ports = list(text).iter().map(|text| port(text)).collect::<Option<_>>()?;
            put(&mut draft.ports, ports)
        },
    },
    Parameter {
        name: "user",
        allowed: "any name",
        write: |draft, text| put(&mut draft.options.user, text.to_owned()),
    },
    Parameter {
        name: PASSWORD,
        allowed: "any text",
        write: |draft, text| put(&mut draft.options.password, text.into()),
    },
    Parameter {
        name: "dbname",
        allowed: "any name",
        write: |draft, text| put(&mut draft.options.database, text.to_owned()),
    },
    Parameter {
        name: FLEET,
        allowed: FleetName::ALLOWED,
        write: |draft, text| {
            draft.options.application_name = FleetName::new(text).ok()?.tag(MemberId::draw());
            Some(())
        },
    },
    Parameter {
        name: APPLICATION_NAME,
        allowed: "any text",
        write: |draft, text| {
            text.clone_into(&mut draft.options.application_name);
            Some(())
        },
    },
    Parameter {
        name: "options",
        allowed: "command-line options such as -c statement_timeout=5s",
        write: |draft, text| put(&mut draft.options.options, text.to_owned()),
    },
    Parameter {
        name: "target_session_attrs",
        allowed: "any, read-write, read-only, primary, standby or prefer-standby",
        write: |draft, text| {
            let wanted = choice(&TargetSession::ALL, TargetSession::name, text)?;
            draft.options.target_session_attrs = wanted;
            Some(())
        },
    },
    Parameter {
        name: "load_balance_hosts",
        allowed: "disable or random",
        write: |draft, text| {
            draft.options.load_balance_hosts = choice(&LoadBalance::ALL, LoadBalance::name, text)?;
            Some(())
        },
    },
    Parameter {
        name: "connect_timeout",
        allowed: "a whole number of seconds, or a duration such as 2s or 500ms; 0 for no limit",
        write: |draft, text| {
            let timeout = match text.parse() {
                Ok(seconds) => Duration::from_secs(seconds),
                Err(_) => parse_duration(text)?,
            };
            put(&mut draft.options.connect_timeout, timeout)
        },
    },
    Parameter {
        name: "keepalives",
        allowed: "1, 0, on or off",
        write: |draft, text| {
            draft.options.keepalives = match text {
                "1" | "on" => true,
                "0" | "off" => false,
                _ => return None,
            };
            Some(())
        },
    },
    Parameter {
        name: "sslmode",
        allowed: "disable, prefer, require, verify-ca or verify-full",
        write: |draft, text| {
            put(&mut draft.options.tls.mode, choice(&TlsMode::ALL, TlsMode::name, text)?)
        },
    },
    Parameter {
        name: "sslrootcert",
        allowed: "a file of certificates in PEM, or system",
        write: |draft, text| {
            draft.trusts_system = text == "system";
            let file = Some(text).filter(|text| *text != "system" && !text.is_empty());
            draft.options.tls.root_certificates = file.map(Into::into);
            Some(())
        },
    },
    Parameter {
        name: "sslcert",
        allowed: "a file of certificates in PEM",
        write: |draft, text| put(&mut draft.certificate, text.to_owned()),
    },
    Parameter {
        name: "sslkey",
        allowed: "a file with a private key in PEM",
        write: |draft, text| put(&mut draft.key, text.to_owned()),
    },
    Parameter {
        name: "channel_binding",
        allowed: "disable, prefer or require",
        write: |draft, text| {
            let binding = choice(&ChannelBinding::ALL, ChannelBinding::name, text)?;
            draft.options.channel_binding = binding;
            Some(())
        },
    },
    Parameter {
        name: "hygiene",
        allowed: "rollback, clean, discard-all or trust",
        write: |draft, text| {
            draft.options.hygiene = choice(&Hygiene::ALL, Hygiene::name, text)?;
            Some(())
        },
    },
    Parameter {
        name: "statement_cache",
        allowed: "a whole number of statements such as 128, or off",
        write: |draft, text| {
            draft.options.statement_cache = if text == "off" { 0 } else { text.parse().ok()? };
            Some(())
        },
    },
];

const APPLICATION_NAME: &str = "application_name";
const FLEET: &str = "fleet";
const PASSWORD: &str = "password";

#[expect(
    clippy::unnecessary_wraps,
    reason = "what it returns is what a parameter's `write` returns"
)]
fn put<T>(field: &mut Option<T>, value: T) -> Option<()> {
    *field = Some(value);
    Some(())
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|part| part.trim().to_owned()).collect()
}

/// One port; an empty one is the default.
pub(crate) fn port(text: &str) -> Option<u16> {
    if text.is_empty() { Some(DEFAULT_PORT) } else { text.parse().ok().filter(|port| *port != 0) }
}

/// Options under construction: some are right only together.
pub(crate) struct Draft {
    pub(crate) options: PostgresOptions,
    pub(crate) hosts: Option<Vec<String>>,
    pub(crate) ports: Option<Vec<u16>>,
    addresses: Option<Vec<Option<IpAddr>>>,
    trusts_system: bool,
    certificate: Option<String>,
    key: Option<String>,
    pub(crate) problems: Vec<Problem>,
    /// Names and values, these as far as they may be shown.
    given: Vec<(&'static str, String)>,
    /// A password was given as a parameter: what follows may be the rest of it, if somebody forgot
    /// to escape it, and is repeated in no message.
    after_password: bool,
}

impl Draft {
    pub(crate) fn new() -> Self {
        Self {
            options: PostgresOptions::of(Vec::new()),
            hosts: None,
            ports: None,
            addresses: None,
            trusts_system: false,
            certificate: None,
            key: None,
            problems: Vec::new(),
            given: Vec::new(),
            after_password: false,
        }
    }

    /// Takes in one pair.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let Some(parameter) = PARAMETERS.iter().find(|parameter| parameter.name == name) else {
            return self.refuse_name(name);
        };
        let shown = if parameter.name == PASSWORD || self.after_password { "" } else { value };
        if self.given.iter().any(|(given, _)| *given == name) {
            let problem = Problem::invalid(name, shown, "given twice", "one value");
            return self.problems.push(problem);
        }
        self.given.push((parameter.name, shown.to_owned()));
        let why = if (parameter.write)(self, value).is_some() {
            self.after_password |= parameter.name == PASSWORD;
            return;
        } else if name == "sslmode" && value == "allow" {
            "it would send the password in the clear before it tries TLS"
        } else {
            "not understood"
        };
        self.problems.push(Problem::invalid(name, shown, why, parameter.allowed));
    }

    /// Notes what is wrong with a value that cannot even be read.
    pub(crate) fn refuse(&mut self, name: &str, problem: Problem) {
        self.after_password |= name == PASSWORD;
        self.problems.push(problem);
    }

    fn refuse_name(&mut self, name: &str) {
        let names = PARAMETERS.iter().map(|parameter| parameter.name);
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        self.problems.push(if self.after_password || !is_name {
            let allowed = names.collect::<Vec<_>>().join(", ");
            let why = "unknown; not repeated here, it may be a part of a password";
            Problem::invalid("parameter", "", why, allowed)
        } else {
            Problem::unknown("parameter", name, names)
        });
    }

    /// The options, or every problem at once.
    pub(crate) fn finish(mut self) -> Result<PostgresOptions, ConfigError> {
        self.options.hosts = self.join_hosts();
        if self.trusts_system {
            self.verify_by_system();
        }
        self.options.tls.client = match (self.certificate.take(), self.key.take()) {
            (Some(chain), Some(key)) => {
                Some(ClientCertificate { chain: chain.into(), key: key.into() })
            }
            (None, None) => None,
            (Some(_), None) => {
                let why = "a certificate proves nothing without its key";
                self.problems.push(Problem::invalid("sslkey", "", why, "a file, with sslcert"));
                None
            }
            (None, Some(_)) => {
                let why = "a key says nothing without its certificate";
                self.problems.push(Problem::invalid("sslcert", "", why, "a file, with sslkey"));
                None
            }
        };
        let given = |name| self.given.iter().find(|(given, _)| *given == name);
        if let (Some(_), Some((field, value))) = (given(FLEET), given(APPLICATION_NAME)) {
            let why = "a fleet names its members' connections itself";
            let allowed = "fleet without application_name, or application_name without fleet";
            self.problems.push(Problem::invalid(*field, value, why, allowed));
        }
        let hosts_said = self.problems.iter().any(|problem| problem.field == "host");
        let own = self.options.problems();
        self.problems.extend(own.into_iter().filter(|own| !(hosts_said && own.field == "host")));
        ConfigError::from_problems(self.problems)?;
        Ok(self.options)
    }

    /// Anybody can have a certificate that the system trusts, for a name of their own. So nothing less
    /// than the host's name will do, and without `sslmode` that is demanded everywhere, as libpq does, but
    /// beside sockets, which have no TLS.
    fn verify_by_system(&mut self) {
        let has_socket = self.options.hosts.iter().any(|host| matches!(host.at, At::Unix(_)));
        match self.options.tls.mode {
            None if !has_socket => self.options.tls.mode = Some(TlsMode::VerifyFull),
            None | Some(TlsMode::VerifyFull) => {}
            Some(mode) => {
                let why = "with sslrootcert=system the name must be checked, too";
                let problem = Problem::invalid("sslmode", mode.name(), why, "verify-full, or none");
                self.problems.push(problem);
            }
        }
    }

    fn join_hosts(&mut self) -> Vec<Host> {
        let addresses = self.addresses.take().unwrap_or_default();
        let names = match self.hosts.take() {
            Some(names) => names,
            // A server may be given by its address alone.
            None => addresses.iter().flatten().map(ToString::to_string).collect(),
        };
        let ports = self.ports.take().unwrap_or_default();
        for (field, count, one_for_all) in
            [("port", ports.len(), ports.len() == 1), ("hostaddr", addresses.len(), false)]
        {
            if count != 0 && count != names.len() && !one_for_all {
                let why = format!("{count} for {} hosts", names.len());
                self.problems.push(Problem::invalid(field, "", why, "one for each host"));
            }
        }
        let host = |(index, name): (usize, &String)| {
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(DEFAULT_PORT);
            Host { address: addresses.get(index).copied().flatten(), ..Host::named(name, port) }
        };
        names.iter().enumerate().map(host).collect()
    }
}
