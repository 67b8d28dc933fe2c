//! Files and variables of several pools, nearly right: nothing panics, nothing shows a password.

use pool_core::{ConnectionManager, NamedSources};
use pool_testkit::hostile::{expect_silence, mangled, settings};
use pool_testkit::{Shown, hostile};
use proptest::prelude::*;
use proptest::sample::select;

use super::Rig;
use crate::fuzz::{file, url, variables};

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn no_manager_shows_a_password_however_its_sources_are_mangled(
        text in mangled((
            file("[pools.orders]\n"),
            file("[pools.users]\n"),
            "(\\[pool\\]\nmax_open = 3\n)?",
            "(\\[routes\\.main\\]\npools = \\['orders', 'users'\\]\n)?",
        )
            .prop_map(|(orders, users, general, routes)| {
                format!("{orders}{users}{general}{routes}")
            })),
        variables in variables(),
        code in mangled(url()),
        pool in select(&[None, Some("orders"), Some("other")][..]),
    ) {
        let sources = NamedSources::default()
            .toml("pools.toml", &text)
            .environment(variables)
            .code("--pool", pool, "url", &code);
        let options = Rig::new().options(sources);
        let shown = Shown::start();
        shown.note(&options);
        let manager = ConnectionManager::new(options);
        shown.expect_no(hostile::CANARY);
        expect_silence(&manager);
    }
}
