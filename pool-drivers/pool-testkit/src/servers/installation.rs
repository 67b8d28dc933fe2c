//! Where a server's programs are: installed, in the cache, or fetched into it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt::{self, Packages};
use super::cache;
use super::error::ServerError;
use super::product::Product;

/// Set to anything, it forbids fetching.
pub const OFFLINE_VARIABLE: &str = "POOL_TEST_OFFLINE";

/// Whether programs that are missing may be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetching {
    /// They are fetched into the cache, which a line on standard output says.
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

/// The programs of one server.
#[derive(Clone, Debug)]
pub(super) struct Installation {
    /// The root of the file system they were made for: `/`, or a folder of the cache.
    root: PathBuf,
    folders: Vec<PathBuf>,
}

/// How a product is laid out under the root of a file system, and what brings it.
struct Layout {
    folders: &'static [&'static str],
    /// Without each of these it is not there.
    programs: &'static [&'static str],
    packages: Packages,
}

fn layout(product: Product) -> Layout {
    match product {
        Product::Postgres15 => Layout {
            folders: &["usr/lib/postgresql/15/bin"],
            programs: &["postgres", "initdb", "psql"],
            packages: Packages { names: &["postgresql-15"] },
        },
        Product::MariaDb => Layout {
            folders: &["usr/sbin", "usr/bin"],
            programs: &["mariadbd", "mariadb"],
            packages: Packages { names: &["mariadb-server-core", "mariadb-client-core"] },
        },
    }
}

impl Installation {
    /// The programs of `product`, fetched if need be.
    pub(super) fn find(product: Product, fetching: Fetching) -> Result<Self, ServerError> {
        if let Some(present) = Self::present(product) {
            return Ok(present);
        }
        let remedy = format!("fetch it with `cargo xtask db up {product}`");
        let missing = |why: String| ServerError::Missing { product, why, remedy: remedy.clone() };
        if fetching == Fetching::Forbidden {
            let why = format!(
                "it is neither installed nor in {}, and fetching is forbidden",
                cache::folder().display()
            );
            return Err(missing(why));
        }
        apt::available().map_err(|why| ServerError::Missing {
            product,
            why: format!("it is not installed, and {why}"),
            remedy: format!("install {}", layout(product).packages.names.join(" and ")),
        })?;
        cache::get_or_make(product.name(), |root| {
            apt::unpack(layout(product).packages, product.name(), root)
        })
        .map_err(|error| missing(error.to_string()))?;
        Self::present(product).ok_or_else(|| missing("its packages lack programs".to_owned()))
    }

    /// Programs with a client for `product`, which must be there.
    pub(super) fn of_client(product: Product) -> Result<Self, ServerError> {
        Self::present(product).ok_or_else(|| ServerError::Missing {
            product,
            why: "its client program is neither installed nor in the cache".to_owned(),
            remedy: format!("fetch it with `cargo xtask db up {product}`"),
        })
    }

    /// The programs of `product`, if they are on this machine.
    pub(super) fn present(product: Product) -> Option<Self> {
        let cached = cache::folder().join(product.name());
        [PathBuf::from("/"), cached].into_iter().find_map(|root| Self::at(product, root))
    }

    fn at(product: Product, root: PathBuf) -> Option<Self> {
        let Layout { folders, programs, .. } = layout(product);
        let folders = folders.iter().map(|folder| root.join(folder)).collect();
        let found = Self { root, folders };
        programs.iter().all(|program| found.program(program).exists()).then_some(found)
    }

    /// The path of a program; one that does not exist if it has none of this name.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        let mut paths = self.folders.iter().map(|folder| folder.join(name));
        paths.find(|path| path.exists()).unwrap_or_else(|| PathBuf::from(name))
    }

    /// A file that came with the programs, by its path in the file system they were made for.
    pub(super) fn file(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// An environment with nothing in it but where to find programs and libraries.
    pub(super) fn equip<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        if self.root != Path::new("/") {
            let multiarch = format!("usr/lib/{}-linux-gnu", env::consts::ARCH);
            let libraries = [multiarch.as_str(), "usr/lib"].map(|folder| self.root.join(folder));
            let libraries = env::join_paths(libraries).unwrap_or_default();
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }
}
