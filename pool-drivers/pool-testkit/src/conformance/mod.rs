//! What every driver must keep, whatever its database: one suite, run on the fake and the real ones.
//!
//! A driver's tests describe it by a [`Fixture`] and expand [`conformance!`](crate::conformance!),
//! which makes one test of each claim. What a fixture cannot show it says so, with a reason that is
//! printed: no claim is skipped in silence. What is special to one database is not here.
//!
//! A claim is an async function, generic over fixtures. It panics if the driver does not keep it.
#![expect(clippy::missing_errors_doc, reason = "all fail with what a fixture cannot show")]

mod failing;
mod fixture;
mod hygiene;
mod lifecycle;
mod rig;
mod serving;
mod telling;

pub use self::failing::{
    a_failed_connect_is_the_source_of_the_error, a_permanent_failure_is_told_before_the_deadline,
    an_acquire_keeps_its_deadline_while_nothing_can_be_opened,
    open_says_why_the_first_connection_failed,
};
pub use self::fixture::{Connection, Error, Failing, Fixture, Supported, Unsupported};
pub use self::hygiene::{
    a_panicking_user_passes_no_transaction_on, a_use_dropped_halfway_never_reaches_the_next_user,
    an_open_transaction_is_gone_for_the_next_user, work_left_uncommitted_is_rolled_back,
};
pub use self::lifecycle::{
    a_guard_may_be_dropped_outside_the_runtime, a_probe_leaves_the_pool_alone,
    close_leaves_no_connection_behind, what_a_probe_lends_comes_back_clean_or_not_at_all,
};
#[cfg(feature = "smol")]
pub use self::rig::block_on_smol;
pub use self::rig::run;
pub use self::serving::{
    a_severed_connection_is_replaced_within_the_acquire, connects_and_answers,
    never_more_than_max_open_connections, open_checks_one_connection,
    the_connection_released_last_goes_out_next, the_server_knows_as_many_connections_as_the_pool,
};
pub use self::telling::{
    a_failed_statement_is_told_with_the_databases_code, no_secret_is_ever_shown,
    statements_are_told_to_observers,
};

/// Makes one `#[tokio::test]` of each claim, in a module named `conformance`, for a [`Fixture`] of
/// the module that expands it; with `on smol` one `#[test]` that runs on smol, in a module named
/// `conformance_on_smol`.
///
/// The crate that expands it needs `tokio` with `macros` and `rt-multi-thread`, and `pool-core` with
/// the feature `tokio`; for smol the test kit with its feature `smol`.
#[macro_export]
macro_rules! conformance {
    ($fixture:ident) => {
        mod conformance {
            $crate::conformance! { @all tokio $fixture }
        }
    };
    ($fixture:ident on smol) => {
        mod conformance_on_smol {
            $crate::conformance! { @all smol $fixture }
        }
    };
    (@all $runtime:ident $fixture:ident) => {
        $crate::conformance! { @claims $runtime $fixture:
                a_failed_connect_is_the_source_of_the_error
                a_failed_statement_is_told_with_the_databases_code
                a_guard_may_be_dropped_outside_the_runtime
                a_panicking_user_passes_no_transaction_on
                a_permanent_failure_is_told_before_the_deadline
                a_probe_leaves_the_pool_alone
                a_severed_connection_is_replaced_within_the_acquire
                a_use_dropped_halfway_never_reaches_the_next_user
                an_acquire_keeps_its_deadline_while_nothing_can_be_opened
                an_open_transaction_is_gone_for_the_next_user
                close_leaves_no_connection_behind
                connects_and_answers
                never_more_than_max_open_connections
                no_secret_is_ever_shown
                open_checks_one_connection
                open_says_why_the_first_connection_failed
                statements_are_told_to_observers
                the_connection_released_last_goes_out_next
                the_server_knows_as_many_connections_as_the_pool
                what_a_probe_lends_comes_back_clean_or_not_at_all
                work_left_uncommitted_is_rolled_back
        }
    };
    (@claims tokio $fixture:ident: $($claim:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                let claim = $crate::conformance::$claim::<super::$fixture>();
                $crate::conformance::run::<super::$fixture>(stringify!($claim), claim).await;
            }
        )*
    };
    (@claims smol $fixture:ident: $($claim:ident)*) => {
        $(
            #[test]
            fn $claim() {
                let claim = $crate::conformance::$claim::<super::$fixture>();
                let run = $crate::conformance::run::<super::$fixture>(stringify!($claim), claim);
                $crate::conformance::block_on_smol(run);
            }
        )*
    };
}
