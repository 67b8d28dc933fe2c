//! What a test could not try: told, so that nothing is skipped in silence.

use std::env;
use std::fs::File;
use std::io::{Write, stderr};

/// Names the file that [`not_tried`] adds its lines to.
pub const NOT_TRIED_VARIABLE: &str = "TESTKIT_NOT_TRIED";

/// Says on standard error that `what` was not tried and why, and in the file that
/// [`NOT_TRIED_VARIABLE`] names: test runners hide what a test that passes says.
pub fn not_tried(what: &str, why: &str) {
    let line = format!("not tried: {what}: {}\n", why.replace('\n', " "));
    // Written past the capture of the test's output: this is to be seen.
    let _ = stderr().write_all(line.as_bytes());
    if let Some(path) = env::var_os(NOT_TRIED_VARIABLE) {
        // At once, so that lines of several processes do not mix.
        let file = File::options().create(true).append(true).open(path);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}
