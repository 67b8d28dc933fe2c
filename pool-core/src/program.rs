//! The name of the running program, by which drivers introduce themselves to servers.

use std::env;
use std::env::consts::EXE_SUFFIX;
use std::ffi::OsString;
use std::path::PathBuf;

/// What the program is called: the name it was started by, or else that of its file; none if it has
/// neither. What an operating system appends to programs' names (`.exe`) is left out.
#[must_use]
pub fn program_name() -> Option<String> {
    name_of(env::args_os().next(), || env::current_exe().ok())
}

fn name_of(
    first_argument: Option<OsString>,
    executable: impl FnOnce() -> Option<PathBuf>,
) -> Option<String> {
    // The file may have been replaced since: Linux then calls it `shop (deleted)`.
    let path = first_argument.map(PathBuf::from).filter(|path| path.file_name().is_some());
    let path = path.or_else(executable)?;
    let name = path.file_name()?.to_string_lossy();
    Some(name.strip_suffix(EXE_SUFFIX).unwrap_or(&name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(first_argument: Option<&str>, executable: Option<&str>) -> Option<String> {
        name_of(first_argument.map(Into::into), || executable.map(Into::into))
    }

    #[test]
    fn a_name_is_whole_and_without_what_systems_append() {
        let name = |first: String| name(Some(&first), Some("/usr/bin/other"));
        assert_eq!(name(format!("/opt/shop-1.2{EXE_SUFFIX}")).as_deref(), Some("shop-1.2"));
        assert_eq!(name(format!("till{EXE_SUFFIX}")).as_deref(), Some("till"));
    }

    #[test]
    fn who_was_started_by_no_name_has_that_of_its_file_or_none() {
        for first in [None, Some(""), Some("/")] {
            assert_eq!(name(first, Some("/opt/shop-1.2")).as_deref(), Some("shop-1.2"));
            assert_eq!(name(first, None), None);
        }
    }
}
