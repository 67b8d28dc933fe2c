//! The step `tidy`: house rules that no lint knows, checked on every Rust file of the project.
//!
//! The rules themselves are in `rules` and `promises`; here is which files they are asked about.

mod promises;
mod rules;
mod tokens;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::verdict::{self, Verdict};
use crate::child;

/// They say which test holds which promise, and which keeps out which defect.
const PROMISES: [&str; 2] = ["docs/museum.md", "docs/reliability.md"];

pub(super) fn check() -> Result<Verdict> {
    let root = child::root();
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    files.sort();
    println!("{} files", files.len());
    let mut problems = Vec::new();
    let mut sources = Vec::new();
    for file in &files {
        let source = read(file)?;
        let path = file.strip_prefix(&root).expect("bug: files are under the root");
        problems.extend(rules::problems(path, &source));
        sources.push((path, source));
    }
    let tests: Vec<_> =
        sources.iter().flat_map(|(path, source)| promises::tests(path, source)).collect();
    let documents = PROMISES.map(|name| Ok((name, read(&root.join(name))?)));
    let documents = documents.into_iter().collect::<Result<Vec<_>>>()?;
    let documents: Vec<_> = documents.iter().map(|(name, text)| (*name, &**text)).collect();
    problems.extend(promises::problems(&documents, &tests));
    verdict::judge(&problems)
}

/// Adds the Rust files under `folder`, but for build output and hidden folders.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    // Cargo marks its target folders so, wherever they are.
    if folder.join("CACHEDIR.TAG").exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).with_context(|| cannot_read(folder))? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| cannot_read(file))
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read {}", path.display())
}
