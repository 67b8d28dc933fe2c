//! The example of the guide.

use std::path::Path;

#[test]
fn the_guide_shows_the_example_that_runs() {
    let guide = include_str!("../../../../docs/monitoring.md");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/otlp.rs");
    assert_eq!(pool_testkit::run_as_shown(guide, &source, None), "");
}
