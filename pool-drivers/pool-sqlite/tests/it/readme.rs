//! What the README shows of this driver.

use std::path::Path;

use pool_testkit::run_as_shown;

const README: &str = include_str!("../../../../README.md");

#[test]
fn the_first_example_in_the_readme_ends_with_everything_closed() {
    let example = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/orchard.rs"));
    let printed = run_as_shown(README, example, &[]);
    let (closed, state) = printed.split_once("; ").expect("two parts");
    assert!(closed.starts_with("closed after "), "{printed}");
    assert_eq!(state, "every connection was back\n");
}

#[test]
fn the_example_of_several_databases_in_the_readme_prints_what_is_said_there() {
    let example = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/orders.rs"));
    let printed = run_as_shown(README, example, &[]);
    let promised = ["orders: max_open 8 -> 12", "cache: unchanged"];
    let [first, second, closed] = printed.lines().collect::<Vec<_>>()[..] else {
        panic!("{printed}")
    };
    assert_eq!([first, second], promised);
    assert!(closed.starts_with("closed 2 pools after "), "{printed}");
    for promise in promised {
        assert!(README.contains(&format!("`{promise}`")), "{promise}");
    }
}
