//! The page of a run as a browser shows it.

use std::fs;
use std::path::{Path, PathBuf};

use pool_testkit::browser::{Browser, Scheme, View};
use serde_json::Value;
use tempfile::TempDir;

use crate::compare;
use crate::program::{json, run};

/// A run's report, and its page in a folder.
fn report(folder: &TempDir) -> (Value, PathBuf) {
    let page = folder.path().join("report.html");
    let file = page.display().to_string();
    let arguments = ["run", "--duration", "2500ms", "--tasks", "8", "--pool", "max_open=3"];
    let outputs = ["--at", "1s", "max_open=5", "--output", "json", "--output-file", &file];
    let (code, stdout, stderr) = run(&[&arguments[..], &outputs].concat());
    assert_eq!(code, 0, "{stderr}");
    (json(&stdout), page)
}

/// The figure `metric` as the page says it, and as it shows it.
fn figure(document: &str, metric: &str) -> (f64, String) {
    let start = format!("data-metric=\"{metric}\" data-value=\"");
    let rest = document.split(&*start).nth(1).unwrap_or_else(|| panic!("no {metric}"));
    let value = rest.split('"').next().expect("a value").parse().expect("a figure");
    let shown = rest.split('>').nth(1).expect("text").split('<').next().expect("text");
    (value, shown.to_owned())
}

#[test]
fn a_page_shows_the_figures_of_its_run_and_asks_nobody_for_anything() {
    let folder = TempDir::new().expect("a directory");
    let (report, page) = report(&folder);
    let browser = Browser::find().expect("a browser");
    let rendered = browser.rendered(&page).expect("rendered");
    assert_eq!(rendered.requests, [""; 0]);
    for (metric, path) in [
        ("throughput", "/throughput"),
        ("errors", "/errors"),
        ("response.p50", "/response/p50"),
        ("response.p99", "/response/p99"),
        ("service.max", "/service/max"),
        ("wait.count", "/wait/count"),
        ("pool.peak_in_use", "/pool/peak_in_use"),
    ] {
        let (value, shown) = figure(&rendered.document, metric);
        let expected = report.pointer(path).and_then(Value::as_f64).expect(path);
        assert!((value - expected).abs() < 1e-6, "{metric}: {value} for {expected}");
        assert!(shown.starts_with(|first: char| first.is_ascii_digit()), "{metric}: {shown}");
    }
    for name in ["throughput", "response", "distribution", "occupancy"] {
        let figure = format!("<figure id=\"{name}\">");
        assert!(rendered.document.contains(&figure), "{name} is not in the page");
    }
    assert!(!rendered.document.contains("<script"), "it is read without scripts");
}

#[test]
fn a_page_would_ask_nobody_even_if_nothing_forbade_it() {
    let folder = TempDir::new().expect("a directory");
    let (_, page) = report(&folder);
    let text = fs::read_to_string(&page).expect("written");
    let policy = text.lines().find(|line| line.contains("Content-Security-Policy"));
    let policy = policy.expect("a policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    fs::write(&page, text.replace(policy, "")).expect("written");
    let rendered = Browser::find().expect("a browser").rendered(&page).expect("rendered");
    assert_eq!(rendered.requests, [""; 0]);
}

/// The page of two runs compared, of which the second is slower.
fn comparison(folder: &TempDir) -> PathBuf {
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (before, after, page) = (path("before.json"), path("after.json"), path("comparison.html"));
    for (path, operations) in [(&before, 1_000), (&after, 850)] {
        fs::write(path, compare::report(30, operations).to_string()).expect("written");
    }
    let (code, _, stderr) = run(&["compare", &before, &after, "--output-file", &page]);
    assert_eq!(code, 4, "{stderr}");
    page.into()
}

#[test]
fn a_page_of_a_comparison_draws_both_runs_and_how_sure_each_change_is() {
    let folder = TempDir::new().expect("a directory");
    let page = comparison(&folder);
    let browser = Browser::find().expect("a browser");
    let rendered = browser.rendered(&page).expect("rendered");
    assert_eq!(rendered.requests, [""; 0]);
    for part in ["<figure id=\"throughput\">", "<figure id=\"changes\">", ">before</text>"] {
        assert!(rendered.document.contains(part), "{part} is not in the page");
    }
    let (change, shown) = figure(&rendered.document, "figures.0.change");
    assert!((-0.16..-0.14).contains(&change), "{change}");
    assert!(shown.starts_with("-15.0"), "{shown}");
    for width in [1_200, 400] {
        let [light, dark] =
            [Scheme::Light, Scheme::Dark].map(|scheme| drawn(&browser, &page, width, scheme));
        assert_ne!(light, dark, "at {width}");
    }
}

/// Draws the page at this width.
fn drawn(browser: &Browser, page: &Path, width: u32, scheme: Scheme) -> Vec<u8> {
    browser.screenshot(page, View { width, height: 1_000, scheme }).expect("drawn")
}

#[test]
fn a_page_is_light_or_dark_as_its_reader_prefers_on_wide_screens_and_narrow_ones() {
    let folder = TempDir::new().expect("a directory");
    let (_, page) = report(&folder);
    let empty = folder.path().join("empty.html");
    fs::write(&empty, "<!doctype html><title>empty</title>").expect("written");
    let browser = Browser::find().expect("a browser");
    for width in [1_200, 400] {
        let blank = drawn(&browser, &empty, width, Scheme::Light);
        let light = drawn(&browser, &page, width, Scheme::Light);
        let dark = drawn(&browser, &page, width, Scheme::Dark);
        for image in [&blank, &light, &dark] {
            assert_eq!(size(image), (width, 1_000));
        }
        assert_ne!(light, dark, "at {width}");
        // An image compresses the better the less there is on it.
        for (scheme, image) in [("light", &light), ("dark", &dark)] {
            let (bytes, nothing) = (image.len(), blank.len());
            assert!(bytes > 5 * nothing, "{scheme} at {width}: {bytes} bytes, blank {nothing}");
        }
    }
}

/// Width and height, as the head of a PNG has them.
fn size(png: &[u8]) -> (u32, u32) {
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().expect("four bytes"));
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    (number(16), number(20))
}
