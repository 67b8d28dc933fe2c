//! URLs of any text, and such as are nearly right: nothing panics, what was written is read, and
//! nothing that is said of the URL of another database shows its password. `PROPTEST_CASES` says how
//! often each is tried.

use pool_sqlite::{Source, SqliteOptions};
use pool_testkit::hostile::{
    any_password, any_text, cut_off, escaped, escaped_password, expect_silence, mangled, settings,
};
use proptest::prelude::*;
use proptest::sample::select;

/// URLs that SQLite has no use for, with a password.
fn wrong(password: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let forms = [
        "postgres://app:PASSWORD@db:5432/orders?sslmode=require",
        "postgres:app:PASSWORD@db",
        "app:PASSWORD@db/orders.db",
        "//app:PASSWORD@db",
        "sqlite://app:PASSWORD@db:5432/orders.db?mode=ro",
        "sqlite3://app:PASSWORD@db/orders.db#x",
        "sqlite:orders.db?password=PASSWORD&cache_size=512",
        "sqlite:orders.db?mode=ro&mod=x&password=PASSWORD",
    ];
    (select(forms.to_vec()), password)
        .prop_map(|(form, password)| form.replace("PASSWORD", &password))
}

fn right() -> impl Strategy<Value = &'static str> {
    select(
        &[
            "sqlite:data/my%20orders.db?mode=rw&journal_mode=TRUNCATE&synchronous=full",
            "sqlite:///var/orders.db?busy_timeout=1m%201s&foreign_keys=off&hygiene=reopen",
            "sqlite::memory:?cache_size=2147483647&statement_cache=18446744073709551615",
            "sqlite:orders?mode=memory&busy_timeout=99999999999999999999s",
        ][..],
    )
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn a_path_is_read_as_it_was_written(
        (path, in_url) in escaped(any_text().prop_map(|it| it.replace('\0', "") + "x")),
        begin in select(&["", "/", "./"][..]),
    ) {
        let source = |url: String| SqliteOptions::from_url(&url).map(|options| options.source);
        let whole = format!("{begin}{path}");
        prop_assert_eq!(
            source(format!("sqlite:{begin}{in_url}?busy_timeout=0")),
            Ok(Source::File(whole.into()))
        );
        prop_assert_eq!(
            source(format!("sqlite:///{in_url}")),
            Ok(Source::File(format!("/{path}").into()))
        );
        let name = path.trim_start_matches('/').to_owned();
        prop_assert_eq!(source(format!("sqlite:{in_url}?mode=memory")), Ok(Source::SharedMemory(name)));
    }

    #[test]
    fn the_password_of_another_database_is_shown_by_nothing(url in wrong(any_password())) {
        expect_silence(&SqliteOptions::from_url(&url));
    }

    #[test]
    fn no_problem_shows_a_password_however_its_url_is_mangled(url in mangled(wrong(escaped_password()))) {
        // What is understood may have become a path, which is no secret.
        expect_silence(&SqliteOptions::from_url(&url).map(|_| ()));
    }

    #[test]
    fn no_problem_shows_a_password_behind_which_the_rest_is_missing(url in cut_off(wrong(escaped_password()))) {
        expect_silence(&SqliteOptions::from_url(&url).map(|_| ()));
    }

    #[test]
    fn any_text_is_understood_or_refused(
        text in prop_oneof![any_text(), any::<String>(), mangled(right().prop_map(str::to_owned))],
    ) {
        for text in [text.clone(), format!("sqlite:{text}"), format!("sqlite://{text}")] {
            match SqliteOptions::from_url(&text) {
                Ok(options) => {
                    prop_assert_eq!(options.validate(), Ok(()));
                    prop_assert!(!options.source.to_string().contains('\n'));
                }
                Err(error) => {
                    for problem in error.problems() {
                        prop_assert!(!problem.to_string().contains('\n'), "{problem}");
                    }
                }
            }
        }
    }
}
