//! Where a server's programs are: installed, in the cache, or fetched into it.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cache;
use super::error::ServerError;
use super::layout::{Layout, layout};
use super::product::Product;

/// Set to anything, it forbids fetching.
pub const OFFLINE_VARIABLE: &str = "TESTKIT_OFFLINE";

/// Whether programs that are missing may be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetching {
    /// They are fetched into the cache, which a line on standard error says.
    Allowed,
    /// They are missing.
    Forbidden,
}

impl Default for Fetching {
    /// Allowed, unless [`OFFLINE_VARIABLE`] is set.
    fn default() -> Self {
        if env::var_os(OFFLINE_VARIABLE).is_some() { Self::Forbidden } else { Self::Allowed }
    }
}

/// Whether a server's programs are on this machine, or how they would come there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// They are installed, or were fetched before: this is the first of them.
    Present(PathBuf),
    /// They would be fetched: by what, in words.
    Fetchable(String),
    /// They cannot be had.
    Missing {
        /// Why not.
        why: String,
        /// What would bring them.
        remedy: String,
    },
}

/// Looks whether `product` could be started. Fetches and starts nothing.
#[must_use]
pub fn look_for(product: Product) -> Finding {
    let Layout { programs, source, .. } = layout(product);
    if let Some(present) = Installation::present(product) {
        return Finding::Present(present.program(programs[0]));
    }
    match source.available() {
        Ok(()) => Finding::Fetchable(source.to_string()),
        Err(why) => Finding::Missing { why, remedy: remedy(product) },
    }
}

/// Fetches the programs of `product` unless they are there, which a line on standard error says.
///
/// # Errors
///
/// They cannot be had.
pub fn provide(product: Product) -> Result<(), ServerError> {
    Installation::find(product, Fetching::default()).map(drop)
}

/// The programs of one server.
#[derive(Clone, Debug)]
pub(super) struct Installation {
    /// The root of the file system they were made for: `/`, or a folder of the cache.
    root: PathBuf,
    folders: Vec<PathBuf>,
}

impl Installation {
    /// The programs of `product`, fetched if need be.
    pub(super) fn find(product: Product, fetching: Fetching) -> Result<Self, ServerError> {
        if let Some(present) = Self::present(product) {
            return Ok(present);
        }
        let source = layout(product).source;
        if fetching == Fetching::Forbidden {
            let why = format!("{}, and fetching is forbidden", nowhere());
            let remedy = format!("fetch it with `cargo xtask db up {product}`");
            return Err(ServerError::Missing { product, why, remedy });
        }
        let missing = |why| ServerError::Missing { product, why, remedy: remedy(product) };
        source.available().map_err(|why| missing(format!("{}, and {why}", nowhere())))?;
        cache::get_or_make(product.name(), |root| source.unpack(product.name(), root)).map_err(
            |error| match error {
                // What fetches it says why that cannot be done.
                ServerError::Program { .. } => missing(error.to_string()),
                error => error,
            },
        )?;
        let incomplete = || missing("what was fetched lacks programs".to_owned());
        Self::present(product).ok_or_else(incomplete)
    }

    /// Programs with a client for `product`, which must be there.
    pub(super) fn of_client(product: Product) -> Result<Self, ServerError> {
        // The bouncer has none of its own.
        let product = if product == Product::PgBouncer { Product::Postgres15 } else { product };
        Self::present(product).ok_or_else(|| ServerError::Missing {
            product,
            why: format!("{}, and its client program is needed", nowhere()),
            remedy: format!("fetch it with `cargo xtask db up {product}`"),
        })
    }

    /// The programs of `product`, if they are on this machine.
    pub(super) fn present(product: Product) -> Option<Self> {
        let cached = cache::folder().join(product.name());
        [PathBuf::from("/"), cached].into_iter().find_map(|root| Self::at(product, root))
    }

    /// Whether they are part of the system; else they are fetched, or will be.
    pub(super) fn is_installed(product: Product) -> bool {
        Self::present(product).is_some_and(|present| !present.is_fetched())
    }

    fn at(product: Product, root: PathBuf) -> Option<Self> {
        let Layout { folders, programs, .. } = layout(product);
        let folders = folders.iter().map(|folder| root.join(folder)).collect();
        let found = Self { root, folders };
        programs.iter().all(|program| found.has(program)).then_some(found)
    }

    /// MariaDB installs its programs under MySQL's names, too, as links.
    fn has(&self, name: &str) -> bool {
        let real = fs::canonicalize(self.program(name));
        real.is_ok_and(|path| path.is_file() && (!is_mariadb(&path) || name.starts_with("mariadb")))
    }

    /// The path of a program; its bare name if there is none.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        let mut paths = self.folders.iter().map(|folder| folder.join(name));
        paths.find(|path| path.exists()).unwrap_or_else(|| PathBuf::from(name))
    }

    /// The words that start a program.
    pub(super) fn call(&self, name: &str) -> Vec<OsString> {
        let mut words = Vec::new();
        if let Some(loader) = self.loader() {
            words = vec![loader.into(), "--library-path".into(), library_path(&self.root)];
        }
        words.push(self.program(name).into());
        words
    }

    /// A file that came with the programs, by its path in the file system they were made for.
    pub(super) fn file(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Whether they were fetched; installed ones find what they need by themselves.
    pub(super) fn is_fetched(&self) -> bool {
        self.root != Path::new("/")
    }

    /// An environment with nothing in it but where to find programs and libraries.
    pub(super) fn equip<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        if self.is_fetched() && self.loader().is_none() {
            command.env("LD_LIBRARY_PATH", library_path(&self.root));
        }
        command
    }

    /// Programs of another release bring the C library they were made for, which only its own loader
    /// can load.
    fn loader(&self) -> Option<PathBuf> {
        let own = self.root.join("usr").join(multiarch()).join(LOADER);
        (self.is_fetched() && own.exists()).then_some(own)
    }
}

/// What brings the programs of `product` where they cannot be fetched.
fn remedy(product: Product) -> String {
    let Layout { folders, programs, source, .. } = layout(product);
    source.remedy().unwrap_or_else(|| {
        let (program, folder) = (programs[0], folders[0]);
        format!("install it by other means; `{program}` is looked for in /{folder}")
    })
}

/// Where the programs of fetched packages under `root` find their libraries.
pub(crate) fn library_path(root: &Path) -> OsString {
    // On a running system `lib` is a link into `usr`; what is in Debian 12's packages is in both.
    let (usr, multiarch) = (root.join("usr"), multiarch());
    let folders = [usr.join(&multiarch), root.join(&multiarch), usr.join("lib")];
    env::join_paths(folders).unwrap_or_default()
}

/// Where Debian keeps the libraries of this architecture, in `usr` or beside it.
fn multiarch() -> String {
    format!("lib/{}-linux-gnu", env::consts::ARCH)
}

const LOADER: &str =
    if cfg!(target_arch = "x86_64") { "ld-linux-x86-64.so.2" } else { "ld-linux-aarch64.so.1" };

fn is_mariadb(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"mariadb"))
}

fn nowhere() -> String {
    format!("it is neither installed nor in {}", cache::folder().display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_command_brings_is_said_to_be_looked_for_where_it_would_be() {
        assert_eq!(
            remedy(Product::MariaDb),
            "on Debian: apt-get install mariadb-server-core mariadb-client-core"
        );
        // Debian 12 has no package of it.
        assert_eq!(
            remedy(Product::MySql),
            "install it by other means; `mysqld` is looked for in /usr/sbin"
        );
    }

    #[test]
    fn libraries_are_found_in_usr_and_beside_it() {
        let libraries = library_path(Path::new("/cache/any"));
        let folders: Vec<_> = env::split_paths(&libraries).collect();
        for folder in ["usr/lib", "lib"] {
            let folder = format!("/cache/any/{folder}/{}-linux-gnu", env::consts::ARCH);
            assert!(folders.contains(&folder.into()), "{folders:?}");
        }
    }
}
