//! Names for pools that share one: what is told of one of them must not be taken for the other.

use std::sync::Arc;

/// `wanted`, or if that is taken, `wanted#2`, `wanted#3` and so on.
pub(crate) fn free_name(wanted: &str, is_taken: impl Fn(&str) -> bool) -> Arc<str> {
    if !is_taken(wanted) {
        return wanted.into();
    }
    let numbered = (2_u64..).map(|number| format!("{wanted}#{number}"));
    let mut free = numbered.filter(|name| !is_taken(name));
    free.next().expect("bug: more pools than numbers").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_gets_the_next_number() {
        let taken = ["orders", "orders#2"];
        let free = |wanted| free_name(wanted, |name| taken.contains(&name));
        assert_eq!([&*free("orders"), &*free("archive")], ["orders#3", "archive"]);
    }
}
