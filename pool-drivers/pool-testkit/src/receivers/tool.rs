//! Which programs of others receive, or show what was written, where they lie, and what brings them.

use std::fmt;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::ReceiverError;
use crate::servers::account::{Account, Farewell};
use crate::servers::cache;
use crate::servers::directory::Directory;
use crate::servers::error::Trying;
use crate::servers::fetch::{Machine, Packages, Python, Source, Suite, Wheel};
use crate::servers::installation::library_path;
use crate::servers::{Fetching, Finding, ServerError};

/// A program that receivers are made of, or the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tool {
    /// An SMTP server in Python.
    Aiosmtpd,
    /// Prometheus' Alertmanager.
    Alertmanager,
    /// A browser without a screen.
    Chromium,
    /// Prometheus, with promtool.
    Prometheus,
    /// A collector of OTLP.
    Rotel,
    /// The reference implementation of Standard Webhooks, in Python.
    StandardWebhooks,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Aiosmtpd,
        Self::Alertmanager,
        Self::Prometheus,
        Self::Rotel,
        Self::StandardWebhooks,
        Self::Chromium,
    ];

    /// Those that receivers of telemetry are made of.
    pub const RECEIVERS: [Self; 5] =
        [Self::Aiosmtpd, Self::Alertmanager, Self::Prometheus, Self::Rotel, Self::StandardWebhooks];

    /// Its name, and with it its folder's in the cache: of one version where that is ours to choose.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aiosmtpd => "aiosmtpd-1.4.6",
            Self::Alertmanager => "prometheus-alertmanager",
            Self::Chromium => "chromium-headless-shell",
            Self::Prometheus => "prometheus",
            Self::Rotel => "rotel-0.0.1a15",
            Self::StandardWebhooks => "standardwebhooks-1.1.0",
        }
    }

    /// Looks whether it is there, or how it would come there. Fetches nothing.
    #[must_use]
    pub fn look_for(self) -> Finding {
        if let Some(root) = self.present() {
            return Finding::Present(root.join(self.landmark()));
        }
        for source in self.sources() {
            if let Err(why) = source.available() {
                return Finding::Missing { why, remedy: remedy(source) };
            }
        }
        let sources: Vec<_> = self.sources().iter().map(Source::to_string).collect();
        Finding::Fetchable(sources.join(", "))
    }

    /// Sees to it that it is there: fetches it if it may, which a line on standard error says.
    ///
    /// # Errors
    ///
    /// It cannot be had.
    pub fn provide(self, fetching: Fetching) -> Result<(), ReceiverError> {
        self.root(fetching).map(drop)
    }

    /// The root of the file system it was made for, fetched if need be.
    fn root(self, fetching: Fetching) -> Result<PathBuf, ReceiverError> {
        if let Some(present) = self.present() {
            return Ok(present);
        }
        let nowhere = format!("it is not in {}", cache::folder().display());
        if fetching == Fetching::Forbidden {
            let why = format!("{nowhere}, and fetching is forbidden");
            let remedy = "allow it once, or name a cache that has it".to_owned();
            return Err(ReceiverError::Missing { tool: self, why, remedy });
        }
        for source in self.sources() {
            source
                .available()
                .map_err(|why| self.missing(source, format!("{nowhere}, and {why}")))?;
        }
        cache::get_or_make(self.name(), |root| {
            self.sources().iter().try_for_each(|source| source.unpack(self.name(), root))?;
            if self == Self::Alertmanager { relocate(&root.join(self.landmark())) } else { Ok(()) }
        })
        .map_err(|error| match error {
            // What fetches it says why that cannot be done.
            ServerError::Program { .. } => self.missing(&self.sources()[0], error.to_string()),
            error => error.into(),
        })
    }

    fn missing(self, source: &Source, why: String) -> ReceiverError {
        ReceiverError::Missing { tool: self, why, remedy: remedy(source) }
    }

    /// Where it is, if it is there.
    fn present(self) -> Option<PathBuf> {
        let cached = cache::folder().join(self.name());
        let roots = [PathBuf::from("/"), cached];
        roots.into_iter().find(|root| root.join(self.landmark()).exists())
    }

    /// The path of what must be there, under its root.
    const fn landmark(self) -> &'static str {
        match self {
            Self::Aiosmtpd => "aiosmtpd/smtp.py",
            Self::Alertmanager => "usr/bin/prometheus-alertmanager",
            Self::Chromium => "usr/lib/chromium/chromium-headless-shell",
            Self::Prometheus => "usr/bin/prometheus",
            Self::Rotel => "rotel/rotel-agent",
            Self::StandardWebhooks => "standardwebhooks/webhooks.py",
        }
    }

    const fn sources(self) -> &'static [Source] {
        match self {
            Self::Aiosmtpd => &AIOSMTPD,
            Self::Alertmanager => &ALERTMANAGER,
            Self::Chromium => &CHROMIUM,
            Self::Prometheus => &PROMETHEUS,
            Self::Rotel => &ROTEL,
            Self::StandardWebhooks => &STANDARD_WEBHOOKS,
        }
    }
}

/// What brings `source` where it cannot be fetched.
fn remedy(source: &Source) -> String {
    source.remedy().unwrap_or_else(|| format!("it comes as {source}"))
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A tool's files on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Equipment {
    pub(super) tool: Tool,
    pub(crate) root: PathBuf,
}

impl Equipment {
    /// Those of `tool`, fetched if need be.
    pub(crate) fn find(tool: Tool) -> Result<Self, ReceiverError> {
        Ok(Self { tool, root: tool.root(Fetching::default())? })
    }

    /// One of its programs, by its path under the root. Ends with this process.
    pub(crate) fn program(&self, path: &str, directory: &Directory) -> Command {
        let word = self.root.join(path).into_os_string();
        let mut command = Account::present().mortal(Farewell::Kill, &[word]);
        // Each has variables that would change what it does.
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        if self.root != Path::new("/") {
            command.env("LD_LIBRARY_PATH", library_path(&self.root));
        }
        command.current_dir(&**directory);
        command
    }

    /// Puts the templates where a fetched Alertmanager looks for them.
    pub(super) fn link_templates(&self, directory: &Directory) -> Result<(), ReceiverError> {
        let templates = self.root.join(FIXED_TEMPLATES.trim_start_matches('/'));
        let link = directory.join(TEMPLATES);
        Ok(symlink(templates, &link).trying("create", link)?)
    }

    /// A script of ours that imports it. Ends with this process.
    pub(super) fn script(
        &self,
        text: &str,
        directory: &Directory,
    ) -> Result<Command, ReceiverError> {
        let python = python(&["-u", "-c", text]).ok_or_else(|| ReceiverError::Missing {
            tool: self.tool,
            why: "there is no `python3` to run it".to_owned(),
            remedy: "on Debian: apt-get install python3".to_owned(),
        })?;
        let words = [python.get_program()].into_iter().chain(python.get_args());
        let words: Vec<_> = words.map(ToOwned::to_owned).collect();
        let mut command = Account::present().mortal(Farewell::Kill, &words);
        command.envs(python.get_envs().filter_map(|(name, value)| Some((name, value?))));
        // What it compiles would end up in the cache, half written if it is killed.
        command.env("PYTHONPATH", &self.root).env("PYTHONDONTWRITEBYTECODE", "1");
        command.current_dir(&**directory);
        Ok(command)
    }
}

/// A call of the Python that runs the receivers written in it: this machine's, or one that was fetched
/// with them. For tests that speak to a receiver by something that is not ours.
#[must_use]
pub fn python(arguments: &[&str]) -> Option<Command> {
    Python::present().map(|python| python.command(arguments))
}

/// Debian's Alertmanager reads its templates from a folder that is written into the program. It is
/// given a path of the same length into the folder that it runs in.
fn relocate(program: &Path) -> Result<(), ServerError> {
    let mut bytes = fs::read(program).trying("read", program)?;
    let slashes = "/".repeat(FIXED_TEMPLATES.len() - TEMPLATES.len() - 1);
    let own = format!(".{slashes}{TEMPLATES}");
    let found = |bytes: &[u8]| {
        let mut windows = bytes.windows(FIXED_TEMPLATES.len());
        windows.position(|window| window == FIXED_TEMPLATES.as_bytes())
    };
    while let Some(start) = found(&bytes) {
        bytes[start..start + own.len()].copy_from_slice(own.as_bytes());
    }
    fs::write(program, bytes).trying("write", program)
}

const FIXED_TEMPLATES: &str = "/usr/share/prometheus/alertmanager";
/// What the link is called that stands for it.
const TEMPLATES: &str = "templates";

const fn debian(names: &'static [&'static str], without: &'static [&'static str]) -> Source {
    Source::Debian(Packages { names, suite: Suite::Ours, without })
}

const fn pure(
    name: &'static str,
    version: &'static str,
    sha256: &'static str,
    megabytes: f32,
) -> Wheel {
    Wheel { name, version, sha256, built_for: None, megabytes, programs: &[], without: &[] }
}

const ALERTMANAGER: [Source; 1] =
    [debian(&["prometheus-alertmanager"], &["adduser", "lib", "tzdata"])];

/// With all that it asks for, since its libraries are of many kinds and come as updates, too; but without
/// what draws with a graphics card, and what opens other programs. It needs a font to draw letters at all.
const CHROMIUM: [Source; 1] = [Source::Debian(Packages {
    names: &["chromium-headless-shell", "fonts-dejavu-core"],
    suite: Suite::OursInFull,
    without: &[
        "debconf",
        "gcc-",
        "libc6",
        "libedit",
        "libelf",
        "libgl1",
        "libglx",
        "libglapi",
        "libicu",
        "libllvm",
        "libsensors",
        "libtinfo",
        "libxaw",
        "libxft",
        "libxml2",
        "libxmu",
        "libxt6",
        "libz3",
        "lsb-base",
        "sysvinit",
        "x11-",
        "xdg-utils",
    ],
})];

/// Its pages need fonts and scripts, its queries none.
const PROMETHEUS: [Source; 1] = [debian(&["prometheus"], &["adduser", "fonts-", "lib", "tzdata"])];

const AIOSMTPD: [Source; 3] = [
    Source::Python(pure(
        "aiosmtpd",
        "1.4.6",
        "72c99179ba5aa9ae0abbda6994668239b64a5ce054471955fe75f581d2592475",
        0.15,
    )),
    Source::Python(pure(
        "atpublic",
        "5.1",
        "135783dbd887fbddb6ef032d104da70c124f2b44b9e2d79df07b9da5334825e3",
        0.01,
    )),
    Source::Python(pure(
        "attrs",
        "26.1.0",
        "c647aa4a12dfbad9333ca4e71fe62ddc36f4e63b2d260a37a8b83d2f043ac309",
        0.07,
    )),
];

const STANDARD_WEBHOOKS: [Source; 1] = [Source::Python(pure(
    "standardwebhooks",
    "1.1.0",
    "9a88d48a1f198be61517fc7ad328cf58ba02b73f0fbd8941d4213e9c0b6c2a61",
    0.01,
))];

/// It links the library of the Python it was built with, of which it uses nothing that is in files.
const ROTEL: [Source; 2] = [
    Source::Python(Wheel {
        name: "rotel",
        version: "0.0.1a15",
        sha256: "2f4117e58410c933e0dc042a268ef738dab2e3a5d63b5831209acdac2a6ddcb7",
        built_for: Some(Machine {
            interpreter: "3.11",
            platform: "manylinux_2_34_x86_64",
            architecture: "x86_64",
        }),
        megabytes: 10.0,
        programs: &["rotel"],
        without: &[],
    }),
    Source::Debian(Packages {
        names: &["libpython3.11"],
        // Parts of a Python that came as an update are installed in another version than these need.
        suite: Suite::OursInFull,
        without: &["libpython3.11-", "python3.11", "libc6", "media-types"],
    }),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_what_brings_it() {
        let missing = Tool::Rotel.missing(&ROTEL[1], "it is gone".to_owned());
        assert_eq!(
            missing.to_string(),
            "rotel-0.0.1a15 cannot be had: it is gone; on Debian: apt-get install libpython3.11"
        );
    }
}
