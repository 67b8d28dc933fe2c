//! What the README shows of this driver.

use std::path::Path;

use pool_testkit::run_as_shown;

use crate::rig::{Schema, server};

#[tokio::test]
async fn the_example_in_the_readme_has_sold_seven_figs() {
    let schema = Schema::new().await;
    let readme = include_str!("../../../../README.md");
    let example = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/archive.rs"));
    let url = server().url(&schema.name);
    assert_eq!(run_as_shown(readme, example, &[("DATABASE_URL", &url)]), "figs sold: 7\n");
}
