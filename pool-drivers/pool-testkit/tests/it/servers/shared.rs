//! The server that a run's tests share.

use pool_testkit::servers::{Family, shared};

#[test]
fn all_tests_of_a_process_share_one_server_with_a_database_each() {
    let one = shared(Family::Postgres).expect("there");
    let other = shared(Family::Postgres).expect("there");
    assert_eq!(one.port, other.port);
    let names =
        [&one, &other].map(|access| access.database("mine").expect("made").name().to_owned());
    assert_ne!(names[0], names[1]);
}
