//! Debian packages, downloaded and unpacked into a folder: no root, nothing installed.
//!
//! `apt-get` does the work on lists and a cache of its own, from the mirror that this machine
//! already uses, so that signatures are checked as always.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::servers::cache;
use crate::servers::error::{ServerError, Trying};
use crate::servers::program::{PATIENCE, run_for};

/// Longer than a mirror takes for a few dozen megabytes.
pub(super) const DOWNLOAD: Duration = Duration::from_mins(10);

/// What to unpack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packages {
    pub(crate) names: &'static [&'static str],
    pub(crate) suite: Suite,
    /// How the names begin of those that they ask for and do not need.
    pub(crate) without: &'static [&'static str],
}

/// Which release of Debian packages are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    /// This machine's own: they use the libraries that are installed.
    Ours,
    /// The same, with all that they ask for, be it installed or not: they look for it beside themselves.
    OursInFull,
    /// The one that moves: they bring every library along, the C library included.
    Unstable,
}

/// Where this machine's packages come from.
#[derive(Debug, PartialEq, Eq)]
struct Mirror {
    uri: String,
    suite: String,
    components: String,
    /// The key, where the source names one.
    signed_by: Option<String>,
}

/// Whether this machine has what is needed; otherwise why not.
pub(super) fn available() -> Result<(), String> {
    for program in ["apt-get", "dpkg"] {
        let found = Command::new(program).arg("--version").output();
        found.map_err(|_| format!("no `{program}` on this machine to fetch packages with"))?;
    }
    mirror().map(drop)
}

/// Downloads `packages` and what they need, of which the [`Suite`] says how much, and unpacks it into `root`.
pub(super) fn unpack(packages: &Packages, what: &str, root: &Path) -> Result<(), ServerError> {
    let task = format!("fetch {what}");
    let mirror = mirror().map_err(|problem| ServerError::Input {
        input: "this machine's list of package sources".to_owned(),
        problem,
    })?;
    let work = root.join("apt");
    let apt = prepared(&work, &mirror, packages.suite)?;
    run_for(&task, with(&apt, &["update", "--quiet"]), "", DOWNLOAD)?;
    let list = ["install", "--yes", "--no-install-recommends", "--print-uris"];
    let listed = run_for(&task, with(&apt, &[&list[..], packages.names].concat()), "", PATIENCE)?;
    let mut wanted = wanted(&listed);
    let is_needed = |name: &str| !packages.without.iter().any(|start| name.starts_with(start));
    wanted.retain(|(name, _)| is_needed(name));
    if wanted.is_empty() {
        // All of it is installed.
        return fs::remove_dir_all(&work).trying("remove", &work);
    }
    let size = wanted.iter().map(|(_, size)| size).sum::<u64>() as f64 / 1e6;
    let (count, cache) = (wanted.len(), cache::folder());
    eprintln!("fetching {what}: {count} Debian packages, {size:.1} MB, into {}", cache.display());
    let names: Vec<_> = wanted.iter().map(|(name, _)| &**name).collect();
    let mut download = with(&apt, &[&["download", "--quiet"][..], &names].concat());
    download.current_dir(&work);
    run_for(&task, download, "", DOWNLOAD)?;
    for entry in fs::read_dir(&work).trying("read", &work)? {
        let path = entry.trying("read", &work)?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            let mut extract = Command::new("dpkg");
            extract.arg("-x").arg(&path).arg(root);
            run_for(&task, extract, "", PATIENCE)?;
        }
    }
    fs::remove_dir_all(&work).trying("remove", &work)
}

/// The settings that keep `apt-get` to the folder `work`.
fn prepared(work: &Path, mirror: &Mirror, suite: Suite) -> Result<Vec<String>, ServerError> {
    for folder in ["lists/partial", "archives/partial"] {
        let folder = work.join(folder);
        fs::create_dir_all(&folder).trying("create", folder)?;
    }
    let sources = work.join("sources.list");
    fs::write(&sources, mirror.line(suite)).trying("write", &sources)?;
    let status = match suite {
        Suite::Ours => PathBuf::from("/var/lib/dpkg/status"),
        Suite::OursInFull | Suite::Unstable => {
            let nothing = work.join("status");
            fs::write(&nothing, "").trying("write", &nothing)?;
            nothing
        }
    };
    let at = |setting: &str, path: PathBuf| format!("{setting}={}", path.display());
    Ok([
        at("Dir::State", work.to_path_buf()),
        at("Dir::Cache", work.to_path_buf()),
        at("Dir::Etc::sourcelist", sources),
        at("Dir::State::status", status),
        "Dir::Etc::sourceparts=-".to_owned(),
        "Acquire::Languages=none".to_owned(),
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
        // As root it would become a user that may not write here.
        "APT::Sandbox::User=root".to_owned(),
    ]
    .into_iter()
    .flat_map(|setting| ["-o".to_owned(), setting])
    .collect())
}

fn with(settings: &[String], arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command
        .args(settings)
        .args(arguments)
        .env("LC_ALL", "C")
        .env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Names and sizes, from lines like `'uri' name_version_arch.deb 1234 MD5Sum:...`.
fn wanted(listed: &str) -> Vec<(String, u64)> {
    let lines = listed.lines().filter(|line| line.starts_with('\''));
    lines
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (name, _) = words.next()?.split_once('_')?;
            Some((name.to_owned(), words.next()?.parse().ok()?))
        })
        .collect()
}

impl Mirror {
    fn line(&self, suite: Suite) -> String {
        let Self { uri, suite: ours, components, signed_by } = self;
        let suite = match suite {
            Suite::Ours | Suite::OursInFull => ours,
            Suite::Unstable => "unstable",
        };
        let key = signed_by.as_ref().map_or_else(String::new, |key| format!("[signed-by={key}] "));
        format!("deb {key}{uri} {suite} {components}\n")
    }
}

/// The mirror of this machine's own release, or why there is none.
fn mirror() -> Result<Mirror, String> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let codename = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let codename = codename.ok_or("does not belong to a release of Debian")?.trim_matches('"');
    let parts = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten();
    let parts = parts.filter_map(|entry| Some(entry.ok()?.path()));
    let files = [PathBuf::from("/etc/apt/sources.list")].into_iter().chain(parts);
    let mut texts = files.filter_map(|path| fs::read_to_string(path).ok());
    texts
        .find_map(|text| mirror_of(codename, &text))
        .ok_or_else(|| format!("names no source of `{codename}`"))
}

/// The source of the suite `codename` in a file of either format.
fn mirror_of(codename: &str, text: &str) -> Option<Mirror> {
    text.lines()
        .find_map(|line| in_line(codename, line))
        .or_else(|| text.split("\n\n").find_map(|stanza| in_stanza(codename, stanza)))
}

/// `deb [signed-by=key] uri suite components`
fn in_line(codename: &str, line: &str) -> Option<Mirror> {
    let rest = line.trim().strip_prefix("deb ")?.trim();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        None => ("", rest),
    };
    let [uri, suite, components @ ..] = &rest.split_whitespace().collect::<Vec<_>>()[..] else {
        return None;
    };
    let key = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
    (*suite == codename).then(|| Mirror {
        uri: (*uri).to_owned(),
        suite: (*suite).to_owned(),
        components: components.join(" "),
        signed_by: key.map(str::to_owned),
    })
}

/// `Types: deb`, `URIs: ...`, `Suites: ...`, a field a line.
fn in_stanza(codename: &str, stanza: &str) -> Option<Mirror> {
    let field = |name: &str| {
        let mut fields = stanza.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(key, _)| *key == name).map(|(_, value)| value.trim())
    };
    let is_ours = field("Suites")?.split_whitespace().any(|suite| suite == codename);
    (is_ours && field("Types")?.split_whitespace().any(|kind| kind == "deb")).then_some(())?;
    Some(Mirror {
        uri: field("URIs")?.split_whitespace().next()?.to_owned(),
        suite: codename.to_owned(),
        components: field("Components")?.to_owned(),
        signed_by: field("Signed-By").filter(|key| key.starts_with('/')).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_read_from_lines() {
        let text = "# deb http://no.example a main\n\
                    deb http://one.example/debian a-updates main\n\
                    deb [arch=amd64 signed-by=/key.gpg] http://two.example/debian a main extra\n";
        let mirror = mirror_of("a", text).expect("a source");
        assert_eq!(
            mirror.line(Suite::Ours),
            "deb [signed-by=/key.gpg] http://two.example/debian a main extra\n"
        );
        assert_eq!(mirror_of("b", text), None);
    }

    #[test]
    fn the_mirror_is_read_from_stanzas() {
        let text = "Types: deb\nURIs: http://other.example\nSuites: nodistro\nComponents: main\n\n\
                    Types: deb\n# http://old.example\nURIs: http://one.example/debian\n\
                    Suites: a a-updates\nComponents: main\nSigned-By: /key.gpg\n";
        let mirror = mirror_of("a", text).expect("a source");
        assert_eq!(
            mirror.line(Suite::Ours),
            "deb [signed-by=/key.gpg] http://one.example/debian a main\n"
        );
        assert_eq!(mirror_of("b", text), None);
    }

    #[test]
    fn what_is_to_be_fetched_is_counted_with_its_size() {
        let listed = "Need to get 8367 kB of archives.\n\
                      'http://one.example/a_1.deb' mysql-common_5.8+1.1.0_all.deb 6636 MD5Sum:2c\n";
        assert_eq!(wanted(listed), [("mysql-common".to_owned(), 6_636)]);
    }
}
