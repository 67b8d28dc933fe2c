//! A browser without a screen: what a page says once it is rendered, and how it looks.
//!
//! ```no_run
//! use std::path::Path;
//! use pool_testkit::browser::{Browser, Scheme, View};
//!
//! let browser = Browser::find()?;
//! let page = Path::new("/tmp/report.html");
//! assert!(browser.rendered(page)?.document.contains("<h1>"));
//! let view = View { width: 1200, height: 800, scheme: Scheme::Dark };
//! let _image = browser.screenshot(page, view)?;
//! # Ok::<(), pool_testkit::receivers::ReceiverError>(())
//! ```
//!
//! It is Chromium, fetched and ended as [`servers`](crate::servers) are. It resolves no name and asks
//! every host through a proxy that is not there, so that nothing is loaded but files; what it asked for
//! all the same is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::receivers::ReceiverError;
use crate::receivers::tool::{Equipment, Tool};
use crate::servers::account::Account;
use crate::servers::directory::Directory;
use crate::servers::error::{ServerError, Trying};
use crate::servers::program::run_for;

/// Longer than it takes on a busy machine to start and to show a page.
const PATIENCE: Duration = Duration::from_mins(2);

/// The browser's files on this machine.
#[derive(Clone, Debug)]
pub struct Browser {
    equipment: Equipment,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// What its reader prefers.
    pub scheme: Scheme,
}

/// What the reader of a page prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// A page after it was rendered.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The document as it is then, as HTML.
    pub document: String,
    /// The addresses that it asked for, beside its own; each was refused.
    pub requests: Vec<String>,
}

impl Browser {
    /// The browser, fetched if need be and allowed.
    ///
    /// # Errors
    ///
    /// It cannot be had.
    pub fn find() -> Result<Self, ReceiverError> {
        Ok(Self { equipment: Equipment::find(Tool::Chromium)? })
    }

    /// Renders the file `page`.
    ///
    /// # Errors
    ///
    /// The browser fails.
    pub fn rendered(&self, page: &Path) -> Result<Rendered, ReceiverError> {
        let directory = Directory::new(Account::present())?;
        let mut command = self.command(&directory)?;
        let log = directory.join("net.json");
        command.arg("--dump-dom").arg(at("--log-net-log", &log)).arg(url(page)?);
        let document = run_for("render a page", command, "", PATIENCE)?;
        let log = fs::read_to_string(&log).trying("read", &log)?;
        Ok(Rendered { document, requests: requests(&log, &url(page)?) })
    }

    /// Draws the file `page`: the image as PNG.
    ///
    /// # Errors
    ///
    /// The browser fails.
    pub fn screenshot(&self, page: &Path, view: View) -> Result<Vec<u8>, ReceiverError> {
        let directory = Directory::new(Account::present())?;
        let image = directory.join("image.png");
        let mut command = self.command(&directory)?;
        let preferred = match view.scheme {
            Scheme::Dark => 0,
            Scheme::Light => 1,
        };
        command
            .arg(at("--screenshot", &image))
            .arg(format!("--window-size={},{}", view.width, view.height))
            .arg(format!("--blink-settings=preferredColorScheme={preferred}"))
            .args(["--hide-scrollbars", "--force-device-scale-factor=1"])
            .arg(url(page)?);
        run_for("draw a page", command, "", PATIENCE)?;
        Ok(fs::read(&image).trying("read", image)?)
    }

    /// A call of it that keeps what it writes in `directory` and reaches no other machine.
    fn command(&self, directory: &Directory) -> Result<Command, ServerError> {
        let root = &self.equipment.root;
        let mut command = self.equipment.program(PROGRAM, directory);
        if root != Path::new("/") {
            let fonts = directory.join("fonts.conf");
            fs::write(&fonts, fonts_in(root, directory)).trying("write", &fonts)?;
            command.env("FONTCONFIG_FILE", fonts).env("LD_LIBRARY_PATH", libraries(root));
        }
        command
            .env("HOME", &**directory)
            // A container's root has no sandbox to go into, and too little shared memory.
            .args(["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run"])
            .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9"])
            .args(["--disable-background-networking", "--disable-component-update"])
            .arg(at("--user-data-dir", &directory.join("profile")));
        Ok(command)
    }
}

const PROGRAM: &str = "usr/lib/chromium/chromium-headless-shell";

/// One of its libraries finds a part of itself in a folder of its own.
fn libraries(root: &Path) -> std::ffi::OsString {
    let known = crate::servers::installation::library_path(root);
    let folders: Vec<PathBuf> = std::env::split_paths(&known).collect();
    let own = folders.iter().map(|folder| folder.join("pulseaudio"));
    std::env::join_paths(folders.iter().cloned().chain(own)).unwrap_or(known)
}

/// Where the fonts are that were fetched with it: it looks for none of this machine.
fn fonts_in(root: &Path, directory: &Path) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE fontconfig SYSTEM \"fonts.dtd\">\n<fontconfig>\n\
         <dir>{}</dir>\n<cachedir>{}</cachedir>\n</fontconfig>\n",
        root.join("usr/share/fonts").display(),
        directory.join("fonts").display(),
    )
}

fn at(argument: &str, path: &Path) -> String {
    format!("{argument}={}", path.display())
}

fn url(page: &Path) -> Result<String, ServerError> {
    let page = fs::canonicalize(page).trying("find", page)?;
    Ok(format!("file://{}", page.display()))
}

/// The addresses in a log of Chromium's network, other than that of the page.
fn requests(log: &str, page: &str) -> Vec<String> {
    let addresses = log.split("\"url\":\"").skip(1);
    let addresses = addresses.filter_map(|rest| rest.split('"').next());
    let mut addresses: Vec<_> =
        addresses.filter(|address| *address != page).map(str::to_owned).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_what_its_scripts_make_of_it_and_its_requests_are_refused_and_told() {
        let folder = Directory::new(Account::present()).expect("a folder");
        let page = folder.join("page.html");
        let text = "<!doctype html><title>x</title><p id=a>before</p><script>\
                    document.getElementById('a').textContent = 'after'</script>\
                    <img src='http://pictures.example/x.png'>";
        fs::write(&page, text).expect("written");
        let browser = Browser::find().expect("it is there");
        let rendered = browser.rendered(&page).expect("rendered");
        assert!(rendered.document.contains("<p id=\"a\">after</p>"), "{}", rendered.document);
        assert_eq!(rendered.requests, ["http://pictures.example/x.png"]);
    }
}
