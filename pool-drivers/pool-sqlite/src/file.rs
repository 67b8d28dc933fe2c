//! What the file system says of a path that is to be a database.
//!
//! It is only ever looked at, never opened: closing a file drops the locks that all connections of
//! this process have on it (<https://sqlite.org/howtocorrupt.html>, section 2.2).

use std::fs::{self, FileType};
use std::io;
use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::OpenFailure;
use crate::options::Access;

/// Refuses what is there and no file. SQLite takes a device for an empty database, and waits without
/// end for somebody to write to a named pipe.
pub(crate) fn check(path: &Path) -> Result<(), OpenFailure> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => {
            Err(OpenFailure::NotAFile(kind(metadata.file_type())))
        }
        // What cannot be looked at cannot be opened either: that is SQLite's to say.
        _ => Ok(()),
    }
}

/// Says more than SQLite does about a file that it could not open.
pub(crate) fn explain(path: &Path, access: Access, error: rusqlite::Error) -> OpenFailure {
    if error.sqlite_error_code() != Some(ErrorCode::CannotOpen) {
        return OpenFailure::Sqlite(error);
    }
    let is_missing = |path: &Path| matches!(path.try_exists(), Ok(false));
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    if directory.is_some_and(is_missing) {
        OpenFailure::NoDirectory
    } else if access != Access::Create && is_missing(path) {
        OpenFailure::Missing
    } else {
        OpenFailure::Sqlite(error)
    }
}

/// The size of a database's write-ahead log; 0 without one. SQLite has it beside the file that a link
/// leads to.
pub(crate) fn wal_bytes(database: &Path) -> io::Result<u64> {
    let metadata = fs::canonicalize(database).and_then(|database| {
        let mut wal = database.into_os_string();
        wal.push("-wal");
        fs::metadata(wal)
    });
    match metadata {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        metadata => Ok(metadata?.len()),
    }
}

#[cfg(unix)]
fn kind(file_type: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;

    if file_type.is_dir() {
        "a directory"
    } else if file_type.is_fifo() {
        "a named pipe"
    } else if file_type.is_socket() {
        "a socket"
    } else if file_type.is_char_device() || file_type.is_block_device() {
        "a device"
    } else {
        "something else"
    }
}

#[cfg(not(unix))]
fn kind(file_type: FileType) -> &'static str {
    if file_type.is_dir() { "a directory" } else { "something else" }
}
