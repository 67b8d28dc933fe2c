//! The conformance suite on the fake driver: the suite is tried out before the drivers are.

mod fake;
