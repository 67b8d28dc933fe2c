//! Options from a URL: what is understood, and what is said of the rest.

use std::path::PathBuf;
use std::time::Duration;

use pool_core::{Driver as _, FleetName};
use pool_mysql::{Address, Hygiene, MysqlDriver, MysqlOptions, System, TlsMode};
use pool_testkit::Shown;

#[track_caller]
fn options(url: &str) -> MysqlOptions {
    MysqlOptions::from_url(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

#[track_caller]
fn problems(url: &str) -> Vec<String> {
    let error = MysqlOptions::from_url(url).expect_err("invalid");
    error.problems().iter().map(ToString::to_string).collect()
}

#[track_caller]
fn expect_problem(url: &str, expected: &str) {
    let problems = problems(url);
    assert!(
        matches!(&problems[..], [problem] if problem.contains(expected)),
        "{url}: {problems:?}"
    );
}

fn tcp(host: &str, port: u16) -> Address {
    Address::Tcp { host: host.to_owned(), port }
}

#[test]
fn a_url_names_a_server() {
    assert_eq!(options("mysql://db").address, tcp("db", 3306));
    assert_eq!(options("mysql://db:3307/").address, tcp("db", 3307));
    assert_eq!(options("MariaDB://db").system, System::Mariadb);
    assert_eq!(options("mysql://[::1]/orders").address, tcp("::1", 3306));
    assert_eq!(options("mysql://[::1]:3307").address, tcp("::1", 3307));
    let socket = options("mysql://app@/orders?socket=/run/m.sock");
    assert_eq!(socket.address, Address::Socket(PathBuf::from("/run/m.sock")));
    assert_eq!(socket.database.as_deref(), Some("orders"));
}

#[test]
fn a_url_names_a_user_and_a_database() {
    let plain = options("mysql://db");
    assert_eq!((&*plain.user, plain.database), ("root", None));
    let full = options("mysql://app%40x:s%2Fe%3Acret@db/my%20orders");
    assert_eq!((&*full.user, full.database.as_deref()), ("app@x", Some("my orders")));
    // The last @ ends the password, as in every browser.
    let options = options("mysql://app:p@ss:word@db");
    assert_eq!((&*options.user, options.address), ("app", tcp("db", 3306)));
}

#[test]
fn every_parameter_is_understood() {
    let url = "mysql://db.example.com/?tls=require&tls_cert=c.pem&tls_key=k.pem&program_name=shop\
               &tcp_keepalive=5s&statement_cache=7&hygiene=discard-all";
    let read = options(url);
    assert_eq!(read.tls, Some(TlsMode::Require));
    assert_eq!(read.tls_cert, Some("c.pem".into()));
    assert_eq!(read.tls_key, Some("k.pem".into()));
    assert_eq!(read.program_name, "shop");
    assert_eq!(read.tcp_keepalive, Some(Duration::from_secs(5)));
    assert_eq!((read.statement_cache, read.hygiene), (7, Hygiene::DiscardAll));
    assert_eq!(options("mysql://db?tls_ca=ca.pem").tls_ca, Some("ca.pem".into()));
    assert_eq!(options("mysql://db?tcp_keepalive=off").tcp_keepalive, None);
    assert_eq!(options("mysql://db?statement_cache=off").statement_cache, 0);
}

#[test]
fn a_program_may_be_a_new_member_of_a_fleet() {
    let url = "mysql://db?fleet=shop";
    let shop = FleetName::new("shop").expect("allowed");
    let [one, other] = [(); 2].map(|()| shop.member_of(&options(url).program_name));
    assert!(one.is_some() && other.is_some() && one != other, "{one:?}, {other:?}");
    expect_problem("mysql://db?fleet=my.shop", "1 to 32 letters (a to z, A to Z), digits, `_`");
    for url in
        ["mysql://db?fleet=shop&program_name=till", "mysql://db?program_name=till&fleet=shop"]
    {
        expect_problem(
            url,
            "program_name = \"till\": a fleet names its members' connections itself; allowed: fleet \
             without program_name, or program_name without fleet",
        );
    }
}

#[test]
fn a_member_of_a_fleet_stays_who_it_is() {
    let driver = |url| MysqlDriver::from_url(url).expect("valid");
    let pool = driver("mysql://db?fleet=shop");
    let own = pool.options().program_name;
    pool.take_over(driver("mysql://elsewhere?fleet=shop"));
    assert_eq!(pool.options().program_name, own);
    assert_eq!(pool.options().address, tcp("elsewhere", 3306));
    pool.take_over(driver("mysql://elsewhere?fleet=shop2"));
    assert!(pool.options().program_name.starts_with("shop2."));
    pool.take_over(driver("mysql://elsewhere?program_name=till"));
    assert_eq!(pool.options().program_name, "till");
}

#[test]
fn encryption_is_verified_by_default_but_to_this_machine() {
    for url in ["mysql://db", "mysql://10.0.0.1", "mysql://localhost.example.com", "mysql://[::2]"]
    {
        assert_eq!(options(url).tls_mode(), TlsMode::VerifyFull, "{url}");
    }
    for url in
        ["mysql://localhost", "mysql://127.0.0.1", "mysql://[::1]", "mysql:///?socket=/run/m.sock"]
    {
        assert_eq!(options(url).tls_mode(), TlsMode::Disable, "{url}");
    }
    assert_eq!(options("mysql://localhost?tls=verify-full").tls_mode(), TlsMode::VerifyFull);
    assert_eq!(options("mysql://db?tls=disable").tls_mode(), TlsMode::Disable);
}

#[test]
fn what_is_wrong_is_said_with_what_is_allowed_all_at_once() {
    let problems = problems("mysql://db/?hygeine=clean&statement_cache=many&tcp_keepalive=0s");
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].ends_with("did you mean \"hygiene\"?"), "{problems:?}");
    assert_eq!(
        problems[1],
        "statement_cache = \"many\": not understood; allowed: a whole number of statements such as \
         64, or off"
    );
    expect_problem("mysql://db?tls=on", "disable, prefer, require or verify-full");
    expect_problem("mysql://db?tls=disable&tls=require", "given twice");
    expect_problem("mysql://db?hygiene=%zz", "a % without two hexadecimal digits");
    expect_problem("mysql://", "no host is named");
    expect_problem("mysql://db?socket=/run/m.sock", "a URL without host");
    expect_problem("mysql://one,two/", "one pool has one server");
    expect_problem("mysql://db/a/b", "a database has no parts");
    expect_problem("mysql://db:0", "no server listens there");
    expect_problem("mysql://db:99999", "not a number of a port");
    expect_problem("mysql://[::1", "no ] at its end");
    expect_problem("mysql://db/a%00b", "a name ends at its first NUL");
    expect_problem("mysql://db/#part", "a fragment has no meaning");
    expect_problem("mysqI://db/", "did you mean \"mysql\"?");
    expect_problem("db.example.com", "no scheme");
}

#[test]
fn encryption_that_would_not_do_what_it_says_is_refused() {
    expect_problem("mysql://db?tls=verify-ca", "would not keep to it");
    expect_problem("mysql://db?tls=require&tls_ca=ca.pem", "the certificate is not checked");
    expect_problem("mysql://db?tls=disable&tls_ca=ca.pem", "not encrypted");
    expect_problem("mysql://localhost?tls_ca=ca.pem", "not encrypted");
    expect_problem("mysql://db?tls_cert=c.pem", "of no use without tls_key");
    expect_problem("mysql://db?tls_key=k.pem", "of no use without tls_cert");
    expect_problem("mysql:///?socket=/run/m.sock&tls=require", "a unix socket is not encrypted");
    for name in ["ssl-mode", "sslmode", "require_ssl", "verify_identity"] {
        expect_problem(&format!("mysql://db?{name}=x"), "did you mean \"tls\"?");
    }
}

#[test]
fn telemetry_learns_where_the_server_is_and_nothing_else() {
    let driver = MysqlDriver::from_url("mariadb://app:secret@db:3307/orders").expect("valid");
    let metadata = driver.metadata();
    assert_eq!(metadata.system_name, "mariadb");
    assert_eq!(metadata.server_address.as_deref(), Some("db"));
    assert_eq!(metadata.server_port, Some(3307));
    assert_eq!(metadata.namespace.as_deref(), Some("orders"));
}

/// However a URL is mangled, what may be a password is not repeated.
#[test]
fn no_problem_repeats_what_may_be_a_password() {
    let secret = "canary";
    for url in [
        "mysql://app:canary@db?tls=on&unknown=1",
        "mysql://app:canary@db:port/orders",
        "mysql://app:canary",
        "mysql://app:canary/orders",
        "mysql://app:canary/more@db/orders",
        "mysql://app:canary?more@db/orders",
        "mysql://app:canary#more@db/orders",
        "mysql://app:pass/canary@db/orders",
        "mysql://app:pass?canary@db/orders",
        "mysql://app:pass?x=canary@db/orders",
        "mysql://app:pass#canary@db/orders",
        "mysql://app:%zzcanary@db",
        "mysql://app:%63%61%6E%61%72%79@db:port/orders",
        "mysql://app:%ffcanary@db",
        "mysql://%ffcanary:x@db",
        "mysql://app:canary@[::1",
        "mysql://app:canary@one,two",
        "mysql://app:one,canary",
        "mysql://[canary",
        "mysql:app:canary@db",
        "app:canary@db",
        "app:canary@db/x?y=mysql://",
        "postgres://app:canary@db",
        "//app:canary@db",
        "canary",
        "mysql://app:canary@db/?password=canary",
        "mysql://app:canary@db/?password=%zzcanary",
        "mysql://db/?password=a&canary",
    ] {
        let Err(error) = MysqlOptions::from_url(url) else { panic!("{url}: understood") };
        println!("{url}");
        let shown = Shown::start();
        shown.note_error(&error);
        shown.expect_no(secret);
    }
}
