//! URLs and connection strings of any text, and such as are nearly right: nothing panics, what was
//! written is read, and nothing shows a password. `PROPTEST_CASES` says how often each is tried.

use pool_postgres::{Host, PostgresOptions};
use pool_testkit::hostile::{
    any_password, any_text, cut_off, escaped, escaped_password, expect_silence, mangled, settings,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Parameters with what may be right for them.
fn pair() -> impl Strategy<Value = (&'static str, String)> {
    let right = select(
        &[
            ("host", "one,two"),
            ("host", "/run/postgresql"),
            ("hostaddr", "::1,127.0.0.1"),
            ("port", "5433,"),
            ("user", "shop"),
            ("password", "it's"),
            ("dbname", "orders"),
            ("application_name", "till"),
            ("options", "-c geqo=off"),
            ("target_session_attrs", "Read-Write"),
            ("load_balance_hosts", "random"),
            ("connect_timeout", "500ms"),
            ("keepalives", "0"),
            ("sslmode", "prefer"),
            ("sslmode", "verify-full"),
            ("sslrootcert", "system"),
            ("sslcert", "/me.pem"),
            ("sslkey", "/me.key"),
            ("channel_binding", "require"),
            ("hygiene", "discard-all"),
            ("statement_cache", "off"),
        ][..],
    );
    (right, any_text(), 0..4_u8).prop_map(|((name, right), text, kind)| match kind {
        0 => (name, text),
        1 => (name, format!("{right}{text}")),
        _ => (name, right.to_owned()),
    })
}

/// A value as connection strings have it.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A text with the password in each place where one may stand.
fn right(password: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let forms = [
        "postgres://app:PASSWORD@one,two:5433,[::1]:5434/orders?sslmode=require&hygiene=clean",
        "postgresql://app:PASSWORD@[::1]/orders%20db?application_name=a%20b&statement_cache=8",
        "postgres://app:PASSWORD@one/orders?fleet=shop&hygiene=trust",
        "postgres://app:PASSWORD@%2Frun%2Fpostgresql:5433/orders",
        "postgres:///orders?user=shop&password=PASSWORD&host=/run/postgresql&port=5433",
        "postgres://one/orders?password=PASSWORD&connect_timeout=99999999999999999999",
        "host=one,two port=5433 user=shop password=PASSWORD dbname=orders sslmode=verify-full",
        "password='PASSWORD' host = /run/postgresql options='-c geqo=off' keepalives=0",
    ];
    (select(forms.to_vec()), password)
        .prop_map(|(form, password)| form.replace("PASSWORD", &password))
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn a_url_and_a_connection_string_of_the_same_parameters_are_the_same(pairs in vec(pair(), 0..6)) {
        let query = pairs.iter().map(|(name, value)| {
            format!("{name}={}", pool_testkit::percent_encoded(value))
        });
        let url = format!("postgres://?{}", query.collect::<Vec<_>>().join("&"));
        let dsn = pairs.iter().map(|(name, value)| format!("{name} = {}", quoted(value)));
        let dsn = dsn.collect::<Vec<_>>().join(" ");
        let read = PostgresOptions::from_dsn(&dsn);
        prop_assert_eq!(&PostgresOptions::from_url(&url), &read);
        if dsn.contains('=') {
            prop_assert_eq!(&dsn.parse::<PostgresOptions>(), &read);
        }
        if let Ok(options) = read {
            prop_assert_eq!(options.validate(), Ok(()));
        }
    }

    #[test]
    fn what_stands_before_the_parameters_is_read_as_it_was_written(
        (user, user_in_url) in escaped(any_text().prop_map(|it| it.replace('\0', "") + "u")),
        (password, password_in_url) in escaped(any_password().prop_map(|it| it.replace('\0', ""))),
        (database, database_in_url) in escaped(any_text().prop_map(|it| it.replace('\0', "") + "d")),
        names in vec(("[a-z][a-z0-9.-]{0,8}", 1..=u16::MAX), 1..4),
        address in "::[1-9a-f]{1,4}",
    ) {
        let hosts: Vec<_> = names.iter().map(|(name, port)| format!("{name}:{port},")).collect();
        let hosts = hosts.concat() + &format!("[{address}]");
        let url = format!("postgres://{user_in_url}:{password_in_url}@{hosts}/{database_in_url}");
        let options = PostgresOptions::from_url(&url);
        expect_silence(&options);
        let options = options.expect("right");
        let last = Host::tcp(address, 5432);
        let expected = names.iter().map(|(name, port)| Host::tcp(name, *port)).chain([last]);
        prop_assert_eq!(options.hosts, expected.collect::<Vec<_>>());
        prop_assert_eq!(options.user, Some(user));
        prop_assert_eq!(options.password, Some(password.into()));
        prop_assert_eq!(options.database, Some(database));
    }

    #[test]
    fn a_password_that_is_not_escaped_is_shown_by_nothing(text in right(any_password())) {
        expect_silence(&text.parse::<PostgresOptions>());
    }

    #[test]
    fn no_problem_shows_a_password_however_its_text_is_mangled(text in mangled(right(escaped_password()))) {
        // What is understood may have become a user or a database, which are no secrets.
        for read in [text.parse(), PostgresOptions::from_url(&text), PostgresOptions::from_dsn(&text)] {
            expect_silence(&read.map(|_: PostgresOptions| ()));
        }
    }

    #[test]
    fn no_problem_shows_a_password_behind_which_the_rest_is_missing(text in cut_off(right(escaped_password()))) {
        for read in [text.parse(), PostgresOptions::from_url(&text), PostgresOptions::from_dsn(&text)] {
            expect_silence(&read.map(|_: PostgresOptions| ()));
        }
    }

    #[test]
    fn any_text_is_understood_or_refused(text in prop_oneof![any_text(), any::<String>(), mangled(right(escaped_password()))]) {
        for text in [text.clone(), format!("postgres://{text}"), format!("host={text}")] {
            if let Ok(options) = text.parse::<PostgresOptions>() {
                prop_assert_eq!(options.validate(), Ok(()));
                prop_assert!(!options.hosts.iter().any(|host| host.to_string().contains('\n')));
            }
        }
    }
}
