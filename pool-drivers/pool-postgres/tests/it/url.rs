//! What is read from URLs and connection strings, and what is said about those that are wrong.

use std::path::Path;
use std::time::Duration;

use pool_core::{Driver as _, FleetName};
use pool_postgres::{
    At, ChannelBinding, Host, Hygiene, LoadBalance, PostgresDriver, PostgresOptions, TargetSession,
    TlsMode,
};
use pool_testkit::{Shown, percent_encoded};

use crate::rig::CANARY;

fn problems(text: &str) -> Vec<String> {
    let error = text.parse::<PostgresOptions>().expect_err(text);
    error.problems().iter().map(ToString::to_string).collect()
}

#[test]
fn a_url_says_everything() {
    let options = PostgresOptions::from_url(
        "postgresql://shop%40corp:p%2Fw@one,two:5433,[::1]:5434/orders%20db\
         ?application_name=till&options=-c%20geqo%3Doff&target_session_attrs=prefer-standby\
         &load_balance_hosts=random&connect_timeout=7&keepalives=0&sslmode=verify-ca\
         &sslrootcert=/ca.pem&sslcert=/me.pem&sslkey=/me.key&channel_binding=require\
         &hygiene=discard-all&statement_cache=off",
    )
    .expect("right");
    let hosts = [Host::tcp("one", 5432), Host::tcp("two", 5433), Host::tcp("::1", 5434)];
    assert_eq!(options.hosts, hosts);
    assert_eq!(options.hosts[2].to_string(), "[::1]:5434");
    assert_eq!(options.user.as_deref(), Some("shop@corp"));
    assert_eq!(options.password, Some("p/w".into()));
    assert_eq!(options.database.as_deref(), Some("orders db"));
    assert_eq!(options.application_name, "till");
    assert_eq!(options.options.as_deref(), Some("-c geqo=off"));
    assert_eq!(options.target_session_attrs, TargetSession::PreferStandby);
    assert_eq!(options.load_balance_hosts, LoadBalance::Random);
    assert_eq!(options.connect_timeout, Some(Duration::from_secs(7)));
    assert!(!options.keepalives);
    assert_eq!(options.tls.mode, Some(TlsMode::VerifyCa));
    assert_eq!(options.tls.root_certificates.as_deref(), Some(Path::new("/ca.pem")));
    assert_eq!(options.tls.client.as_ref().map(|it| &*it.key), Some(Path::new("/me.key")));
    assert_eq!(options.channel_binding, ChannelBinding::Require);
    assert_eq!((options.hygiene, options.statement_cache), (Hygiene::DiscardAll, 0));
}

#[test]
fn the_system_s_authorities_are_asked_for_names_everywhere() {
    for text in ["host=a,/run sslrootcert=/ca.pem", "host=a,/run sslrootcert=system"] {
        assert_eq!(text.parse::<PostgresOptions>().expect("right").tls.mode, None, "{text}");
    }
    for text in
        ["host=localhost sslrootcert=system", "host=a sslrootcert=system sslmode=verify-full"]
    {
        let options = text.parse::<PostgresOptions>().expect("right");
        assert_eq!(options.tls.mode, Some(TlsMode::VerifyFull), "{text}");
        assert_eq!(options.tls.root_certificates, None);
    }
}

#[test]
fn a_connection_string_says_the_same_as_a_url() {
    let url = "postgres://shop:it's%20%5C@one:5433/orders?sslmode=require&connect_timeout=500ms";
    let dsn = r"host = one port=5433 user='shop' password='it\'s \\' dbname=orders
        sslmode=require  connect_timeout=500ms";
    let (url, dsn) = (url.parse::<PostgresOptions>(), dsn.parse::<PostgresOptions>());
    assert_eq!(url.expect("right"), dsn.expect("right"));
}

#[test]
fn a_path_in_place_of_a_host_is_a_sockets_directory() {
    for text in [
        "postgres:///shop?host=/run/postgresql&port=5433",
        "postgres://%2Frun%2Fpostgresql:5433/shop",
        "host=/run/postgresql port=5433 dbname=shop",
    ] {
        let options: PostgresOptions = text.parse().expect(text);
        assert_eq!(options.hosts, [Host::unix("/run/postgresql", 5433)], "{text}");
        assert_eq!(options.hosts[0].to_string(), "/run/postgresql/.s.PGSQL.5433");
    }
}

#[test]
fn an_address_stands_beside_a_name_or_for_one() {
    let both: PostgresOptions =
        "host=db.test,x hostaddr=127.0.0.1, port=1,2".parse().expect("right");
    assert_eq!(both.hosts[0].at, At::Tcp("db.test".to_owned()));
    assert_eq!(both.hosts[0].address, "127.0.0.1".parse().ok());
    assert_eq!((both.hosts[1].address, both.hosts[1].port), (None, 2));
    let alone: PostgresOptions = "hostaddr=::1".parse().expect("right");
    assert_eq!(alone.hosts, [Host { address: "::1".parse().ok(), ..Host::tcp("::1", 5432) }]);
}

#[test]
fn no_limit_for_an_address_is_not_the_limit_by_default() {
    for text in ["postgres://one,two/shop?connect_timeout=0", "host=one,two connect_timeout=0s"] {
        let options: PostgresOptions = text.parse().expect(text);
        assert_eq!(options.connect_timeout, Some(Duration::ZERO), "{text}");
    }
    assert_eq!(PostgresOptions::tcp("one", 5432).connect_timeout, None);
}

#[test]
fn the_program_is_named_to_the_server_by_default() {
    let options = PostgresOptions::tcp("db", 5432);
    assert!(options.application_name.starts_with("it-"), "{}", options.application_name);
}

#[test]
fn every_problem_is_reported_at_once_with_what_is_allowed() {
    let found = problems(
        "postgres://db/orders?sslmod=require&port=0&sslmode=allow&hygiene=spotless&sslcert=a\
         &hygiene=clean&channel_binding=sometimes",
    );
    let starts = [
        "parameter = \"sslmod\": unknown; allowed: host, hostaddr",
        "port = \"0\": not understood; allowed: one number from 1 to 65535",
        "sslmode = \"allow\": it would send the password in the clear",
        "hygiene = \"spotless\": not understood; allowed: rollback, clean, discard-all or trust",
        "hygiene = \"clean\": given twice",
        "channel_binding = \"sometimes\": not understood",
        "sslkey = \"\": a certificate proves nothing without its key",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (found, start) in found.iter().zip(starts) {
        assert!(found.starts_with(start), "{found}\n{start}");
    }
    assert!(found[0].ends_with("did you mean \"sslmode\"?"), "{}", found[0]);
}

#[test]
fn what_cannot_go_together_is_refused() {
    for (text, start) in [
        ("host=a,b port=1,2,3", "port = \"\": 3 for 2 hosts"),
        ("host=a sslmode=disable channel_binding=require", "channel_binding = \"require\""),
        ("host=/run sslmode=verify-full", "sslmode = \"verify-full\": a socket such as /run"),
        ("user=x", "host = \"\": no server is named"),
        (
            "host=a sslmode=require sslrootcert=system",
            "sslmode = \"require\": with sslrootcert=system",
        ),
        (
            "host=localhost sslrootcert=/ca.pem",
            "sslrootcert = \"/ca.pem\": without sslmode, connections to localhost:5432",
        ),
        (
            "host=/run,127.0.0.1 sslcert=/me.pem sslkey=/me.key",
            "sslcert = \"/me.pem\": without sslmode, connections to /run/.s.PGSQL.5432",
        ),
        ("host=a dbname='x", "connection string = \"\": a quote that is not closed"),
        ("mysql://a/b", "scheme = \"mysql\": unknown"),
        ("postgres://a/b#c", "url = \"\": a fragment has no meaning here"),
        ("postgres://a/%ff", "parameter = \"(not shown)\": not UTF-8 once decoded"),
    ] {
        let found = problems(text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(start), "{}\n{start}", found[0]);
    }
    let options = PostgresOptions { user: Some("a\0b".to_owned()), ..PostgresOptions::tcp("a", 1) };
    assert_eq!(options.validate().expect_err("a NUL").problems()[0].field, "user");
}

/// Every way to give a password: right, and wrong in each of the ways that show a part of the text.
fn texts_with_a_secret() -> Vec<String> {
    let escaped = percent_encoded(CANARY);
    [
        "postgres://u:CANARY@h/d",
        "postgres://u:CANARY@h/d?sslmode=nonsense&x=y",
        "postgres://u:CANARY@h:0/d",
        "postgres://u:CANARY@h:port/d",
        "postgres://u:CANARY/d",
        "postgres://u:CANARY",
        "postgres://u:x/CANARY@h/d",
        "postgres://u:1/CANARY@h/d",
        "postgres://u@x/CANARY@h/d",
        "postgres://u:x?CANARY@h/d",
        "postgres://u:x#CANARY@h/d",
        "postgres://u:x@CANARY@h/d?y=z",
        "postgres://u:%zzCANARY@h/d",
        "postgres://h/d?user=u&password=CANARY",
        "postgres://h/d?password=CANARY&password=CANARY",
        "postgres://h/d?password=x&CANARY",
        "postgres://h/d?password=%&CANARY",
        "postgres://h/d?password=x&CANARY=1",
        "postgres://h/d?password=x&port=CANARY",
        "postgres://u:ESCAPED@h:0/d",
        "postgres://h/d?password=ESCAPED&password=x",
        "postgres://u:CANARY@one:1,two:port/d",
        "postgres://one,u:CANARY@two/d",
        "host=one,two port=1,2,3 password=CANARY",
        "postgres:u:CANARY@h/d",
        "mysql://u:CANARY@h/d",
        "u:CANARY://h/d",
        "host=h user=u password=CANARY",
        "host=h password=CANARY nonsense",
        "host=h password=CANARY nonsense=1",
        "host=h password=x CANARY",
        "host=h password=x CANARY=y",
        "host=h password=x port=CANARY",
        "host=h password='CANARY",
        "host=h password='CANARY' password=CANARY",
        "host=h password='x'CANARY",
        "password = CANARY",
    ]
    .map(|text| text.replace("CANARY", CANARY).replace("ESCAPED", &escaped))
    .to_vec()
}

#[test]
fn no_form_of_a_password_is_ever_shown() {
    let mut right = 0;
    for text in texts_with_a_secret() {
        let results =
            [text.parse(), PostgresOptions::from_url(&text), PostgresOptions::from_dsn(&text)];
        let shown = Shown::start();
        for result in results {
            right += usize::from(result.is_ok());
            match result.map(PostgresDriver::new) {
                Ok(driver) => shown.note(&(&driver, driver.options(), driver.metadata())),
                Err(error) => shown.note_error(&error),
            }
        }
        println!("{text}");
        shown.expect_no(CANARY);
    }
    assert!(right >= 6, "the test is about passwords that are taken in, too: {right}");
}

#[test]
fn the_program_may_be_a_new_member_of_a_fleet() {
    let shop = FleetName::new("shop").expect("allowed");
    for text in ["postgres://db?fleet=shop", "host=db fleet=shop"] {
        let draw = || text.parse::<PostgresOptions>().expect(text).application_name;
        let [one, other] = [(); 2].map(|()| shop.member_of(&draw()));
        assert!(one.is_some() && other.is_some() && one != other, "{text}: {one:?}, {other:?}");
    }
    let problems = problems("host=db fleet=my.shop application_name=till");
    assert_eq!(
        problems,
        [
            "fleet = \"my.shop\": not understood; allowed: 1 to 32 letters (a to z, A to Z), digits, \
             `_` and `-`",
            "application_name = \"till\": a fleet names its members' connections itself; allowed: fleet \
             without application_name, or application_name without fleet",
        ]
    );
}

#[test]
fn a_member_of_a_fleet_stays_who_it_is() {
    let driver = |url| PostgresDriver::from_url(url).expect("valid");
    let pool = driver("postgres://db?fleet=shop");
    let own = pool.options().application_name;
    pool.take_over(driver("postgres://elsewhere?fleet=shop"));
    assert_eq!(pool.options().application_name, own);
    assert_eq!(pool.options().hosts, [Host::tcp("elsewhere", 5432)]);
    pool.take_over(driver("postgres://elsewhere?fleet=shop2"));
    assert!(pool.options().application_name.starts_with("shop2."));
    pool.take_over(driver("postgres://elsewhere?application_name=till"));
    assert_eq!(pool.options().application_name, "till");
}
