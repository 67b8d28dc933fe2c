//! What the README shows of this driver.

use std::path::Path;

use pool_testkit::run_as_shown;

use crate::rig::{Database, access};

#[tokio::test]
async fn the_example_in_the_readme_sells_three_of_five_figs() {
    let database = Database::create().await;
    let readme = include_str!("../../../../README.md");
    let example = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/shop.rs"));
    let url = access().url(database.name());
    assert_eq!(run_as_shown(readme, example, &[("DATABASE_URL", &url)]), "figs in stock: 2\n");
}
