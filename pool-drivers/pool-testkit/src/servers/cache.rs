//! The folder that fetched programs and prepared data are kept in, shared by all test processes.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::account::Account;
use super::error::{ServerError, Trying};

/// Names the folder instead of `servers` in cargo's target folder (or `/var/cache/pool-testkit`, where
/// root's servers could not read that).
pub const CACHE_VARIABLE: &str = "TESTKIT_CACHE";

/// Where fetched programs and prepared data are kept.
#[must_use]
pub fn folder() -> PathBuf {
    if let Some(named) = env::var_os(CACHE_VARIABLE).filter(|named| !named.is_empty()) {
        return named.into();
    }
    let program = env::current_exe().unwrap_or_default();
    // Cargo marks its target folder so, wherever that is.
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    match target {
        Some(target) if Account::of_servers().enters(target) => target.join("servers"),
        // Root's own folders are closed to those as whom root runs servers.
        _ => PathBuf::from("/var/cache/pool-testkit"),
    }
}

/// The folder `name` of the cache; if it is not there, `make` fills it, once for all processes.
///
/// # Errors
///
/// The cache is a relative path; `make` fails, or the cache cannot be written.
pub(crate) fn get_or_make(
    name: &str,
    make: impl FnOnce(&Path) -> Result<(), ServerError>,
) -> Result<PathBuf, ServerError> {
    let cache = self::folder();
    refuse_relative(&cache)?;
    let folder = cache.join(name);
    if folder.exists() {
        return Ok(folder);
    }
    fs::create_dir_all(&cache).trying("create", &cache)?;
    let path = cache.join(format!("{name}.lock"));
    let lock = File::create(&path).trying("create", &path)?;
    lock.lock().trying("lock", &path)?;
    // Somebody else may have made it meanwhile.
    if folder.exists() {
        return Ok(folder);
    }
    let partial = cache.join(format!("{name}.partial"));
    if partial.exists() {
        fs::remove_dir_all(&partial).trying("remove", &partial)?;
    }
    fs::create_dir(&partial).trying("create", &partial)?;
    make(&partial)?;
    // What was cut short is never taken for whole.
    fs::rename(&partial, &folder).trying("rename", &partial)?;
    Ok(folder)
}

/// Tests run in their packages' folders: each of them would fill a cache there.
fn refuse_relative(cache: &Path) -> Result<(), ServerError> {
    if cache.is_absolute() {
        return Ok(());
    }
    Err(ServerError::Input {
        input: format!("{CACHE_VARIABLE} ({})", cache.display()),
        problem: "is a relative path; name an absolute one, or unset it".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_cache_is_refused_with_what_would_be_right() {
        let refused = refuse_relative(Path::new("target/servers")).expect_err("relative");
        let expected =
            "TESTKIT_CACHE (target/servers) is a relative path; name an absolute one, or unset it";
        assert_eq!(refused.to_string(), expected);
        assert!(refuse_relative(Path::new("/var/cache/servers")).is_ok());
    }
}
