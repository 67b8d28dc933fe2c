//! URLs of any text, and such as are nearly right: nothing panics, what was written is read, and
//! nothing shows a password. `PROPTEST_CASES` says how often each is tried.

use pool_mysql::{Address, MysqlOptions};
use pool_testkit::hostile::{
    any_password, any_text, cut_off, escaped, escaped_password, expect_silence, mangled, settings,
};
use proptest::prelude::*;
use proptest::sample::select;

/// A URL with the password in each place where one may stand.
fn right(password: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let forms = [
        "mysql://app:PASSWORD@db.local:3307/orders?tls=require&hygiene=clean",
        "mariadb://app:PASSWORD@[::1]/orders%20db?program_name=a%20b&statement_cache=8",
        "mysql://app:PASSWORD@db/orders?fleet=shop&hygiene=trust",
        "mysql://app:PASSWORD@/orders?socket=/run/mysqld/mysqld.sock",
        "mysql://app:PASSWORD@127.0.0.1:99999?tcp_keepalive=99999999999999999999s",
        "mysql://db/orders?user=shop&password=PASSWORD&tls=disable",
        "mysql://db/orders?tls=on&password=PASSWORD&tls_ca=c.pem",
    ];
    (select(forms.to_vec()), password)
        .prop_map(|(form, password)| form.replace("PASSWORD", &password))
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn what_is_written_is_read(
        (user, user_in_url) in escaped(any_text().prop_map(|it| it.replace('\0', "") + "u")),
        (_, password) in escaped(any_password()),
        (database, database_in_url) in escaped(any_text().prop_map(|it| it.replace('\0', "") + "d")),
        (program, program_in_url) in escaped(any_text().prop_map(|it| it.replace('\0', ""))),
        (socket, socket_in_url) in escaped(any_text().prop_map(|it| format!("/run/{it}"))),
        port in 1..=u16::MAX,
        is_socket in any::<bool>(),
    ) {
        let (place, tail, address) = if is_socket {
            let tail = format!("&socket={socket_in_url}");
            (String::new(), tail, Address::Socket(socket.into()))
        } else {
            let address = Address::Tcp { host: "::1".to_owned(), port };
            (format!("[::1]:{port}"), String::new(), address)
        };
        let who = format!("{user_in_url}:{password}");
        let url = format!("mysql://{who}@{place}/{database_in_url}?program_name={program_in_url}{tail}");
        let options = MysqlOptions::from_url(&url);
        expect_silence(&options);
        let options = options.expect("right");
        prop_assert_eq!(options.address, address);
        prop_assert_eq!((options.user, options.database), (user, Some(database)));
        prop_assert_eq!(options.program_name, program);
    }

    #[test]
    fn a_password_that_is_not_escaped_is_shown_by_nothing(url in right(any_password())) {
        expect_silence(&MysqlOptions::from_url(&url));
    }

    #[test]
    fn no_problem_shows_a_password_however_its_url_is_mangled(url in mangled(right(escaped_password()))) {
        // What is understood may have become a user or a database, which are no secrets.
        expect_silence(&MysqlOptions::from_url(&url).map(|_| ()));
    }

    #[test]
    fn no_problem_shows_a_password_behind_which_the_rest_is_missing(url in cut_off(right(escaped_password()))) {
        expect_silence(&MysqlOptions::from_url(&url).map(|_| ()));
    }

    #[test]
    fn any_text_is_understood_or_refused(text in prop_oneof![any_text(), any::<String>(), mangled(right(escaped_password()))]) {
        for text in [text.clone(), format!("mysql://{text}")] {
            if let Ok(options) = MysqlOptions::from_url(&text) {
                prop_assert_eq!(options.validate(), Ok(()));
            }
        }
    }
}
