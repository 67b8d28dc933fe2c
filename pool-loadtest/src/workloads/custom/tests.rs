//! Files as they are read, and as they are run on SQLite.

use std::error::Error as _;

use pool_core::PoolConfig;
use pool_sqlite::{SqliteDriver, SqliteOptions};

use super::*;
use crate::database::Dialect;

const SHOP: &str = "\
-- A shop, of which this is an ordinary comment.
-- set id = uniform(1, 10)
-- setup
create table shop (id integer primary key, sold bigint not null);
create trigger counted after update on shop begin
  select 1; -- a statement within
end;
insert into shop select value, 0 from (with recursive n (value) as
  (select 1 union all select value + 1 from n where value < 10) select value from n);
-- name: look weight=9
select sold from shop where id = :id
-- name: buy
update shop set sold = sold + 1 where id = :id;
update shop set sold = sold - 1 where id = :id; -- and back
-- verify
select sum(sold) from shop;
-- teardown
drop table shop;
";

fn refused(text: &[u8], dialect: Dialect) -> String {
    SqlFile::read(&Arc::from("shop.sql"), text, dialect).expect_err("refused").to_string()
}

fn kind(text: &str, dialect: Dialect) -> Vec<(String, Vec<usize>)> {
    let file = SqlFile::read(&Arc::from("shop.sql"), text.as_bytes(), dialect).expect("right");
    let statements = file.kinds[0].statements.iter();
    statements.map(|it| (it.sql.to_string(), it.generators.clone())).collect()
}

#[test]
fn each_driver_gets_parameters_in_its_own_form() {
    let text = "\
-- set a = uniform(1, 2)
-- set b = text(3)
-- name: work
select :b, /* :a */ ':a', :a, :b ;; select 2 -- the end";
    for (dialect, first, generators) in [
        (Dialect::Sqlite, "select ?1, /* :a */ ':a', ?2, ?1", vec![1, 0]),
        (Dialect::Postgres, "select $1, /* :a */ ':a', $2, $1", vec![1, 0]),
        (Dialect::Mysql, "select ?, /* :a */ ':a', ?, ?", vec![1, 0, 1]),
    ] {
        let expected = [(first.to_owned(), generators), ("select 2".to_owned(), vec![])];
        assert_eq!(kind(text, dialect), expected, "{dialect:?}");
    }
}

#[test]
fn sections_divide_statements_with_and_without_a_semicolon() {
    let file = SqlFile::read(&Arc::from("shop.sql"), SHOP.as_bytes(), Dialect::Sqlite);
    let file = file.expect("right");
    let lines = |statements: &[Statement]| -> Vec<_> {
        statements.iter().map(|statement| statement.line).collect()
    };
    assert_eq!(lines(&file.setup), [4, 5, 8], "the trigger is one statement");
    let kinds: Vec<_> =
        file.kinds.iter().map(|kind| (&*kind.name, kind.weight, lines(&kind.statements))).collect();
    assert_eq!(kinds, [("look", 9, vec![11]), ("buy", 1, vec![13, 14])]);
    assert_eq!((lines(&file.verify), lines(&file.teardown)), (vec![16], vec![18]));
    assert!(file.setup[1].sql.ends_with("end"), "{}", file.setup[1].sql);
}

#[test]
fn every_problem_of_a_file_is_reported_with_its_place_at_once() {
    let text = "\
select 0;
-- set id = unifrom(1, 10)
-- set amuont = uniform(10, 1)
-- set amount = uniform(1, 10)
-- set amount = sequence(1)
-- nmae: look
-- name: look weight=0
select :amout, :äther from shop where id = ?1;
-- name: look wieght=3
-- teardwon
-- setup
insert into shop values (:amount);
begin;
-- name: odd/name
select 'it;
";
    let expected = "\
shop.sql is no workload (17 problems)
  shop.sql:1:1: a statement that no section is in front of; allowed: -- name: KIND \
weight=NUMBER, -- set NAME = FUNCTION(...), -- setup, -- teardown, -- verify
  shop.sql:2:13: the function \"unifrom\" is unknown; allowed: choice, sequence, text, uniform, \
zipf; did you mean \"uniform\"?
  shop.sql:3:17: this cannot be drawn from; allowed: uniform(LEAST, MOST): whole numbers, the \
first not above the second
";
    let found = refused(text.as_bytes(), Dialect::Sqlite);
    assert!(found.starts_with(expected), "{found}");
    for part in [
        "5:8: the parameter \"amount\" is set twice; allowed: each name once",
        "6:4: \"nmae\" has no meaning; allowed: -- name: KIND",
        "did you mean \"name\"?",
        "7:15: a weight that is none; allowed: weight=NUMBER, from 1 to 1000000",
        "8:8: the parameter \"amout\" is unknown; allowed: amount, amuont, id; did you mean \"amount\"?",
        "8:16: the parameter \"äther\" is unknown; allowed: amount, amuont, id",
        "8:44: ?1 is a parameter that nothing is drawn for; allowed: :NAME, with -- set",
        "9:15: the option \"wieght\" is unknown; allowed: weight; did you mean \"weight\"?",
        "10:4: \"teardwon\" has no meaning",
        "did you mean \"teardown\"?",
        "12:26: the parameter \"amount\" is in a section that has none; allowed: parameters in kinds",
        "13:1: transactions are begun and ended by the load tester",
        "14:10: the kind has no name that fits; allowed: -- name: KIND, of up to 64 letters",
        "15:8: what begins with ' has no end",
    ] {
        assert!(found.contains(part), "{part} not in {found}");
    }
}

#[test]
fn parameters_and_kinds_that_are_misnamed_say_what_there_is() {
    let text = "-- set amount = text(3)\n-- name: a\nselect :amuont;\n-- name: a\n-- name: b\n";
    let expected = "\
shop.sql is no workload (4 problems)
  shop.sql:3:8: the parameter \"amuont\" is unknown; allowed: amount; did you mean \"amount\"?
  shop.sql:4:1: the kind \"a\" is there twice; allowed: each name once
  shop.sql:4:1: the kind \"a\" has no statement; allowed: at least one
  shop.sql:5:1: the kind \"b\" has no statement; allowed: at least one";
    assert_eq!(refused(text.as_bytes(), Dialect::Mysql), expected);
    let unset = "shop.sql:2:8: the parameter \"id\" is unknown; allowed: -- set id = FUNCTION(...)";
    let found = refused(b"-- name: a\nselect :id", Dialect::Postgres);
    assert!(found.contains(unset), "{found}");
}

#[test]
fn what_is_no_file_of_statements_at_all_is_refused() {
    let many: Vec<_> = (0..17).map(|kind| format!("-- name: k{kind}\nselect 1;\n")).collect();
    let many = many.concat();
    for (bytes, problem) in [
        (&b""[..], "1:1: the file is empty; allowed: -- name: KIND"),
        (b" \n\t", "1:1: the file is empty"),
        (b"-- a comment", "1:1: there is no kind of operation; allowed: -- name: KIND in front"),
        (b"-- name: a\nselect '\xc3\xa4', '\xff'", "2:14: here is no text in UTF-8"),
        (&vec![b' '; MOST_BYTES as usize + 1], "1:1: the file is too large; allowed: up to 1 MiB"),
        (many.as_bytes(), "33:1: too many kinds; allowed: up to 16"),
    ] {
        let found = refused(bytes, Dialect::Sqlite);
        let expected = format!("shop.sql is no workload (1 problem)\n  shop.sql:{problem}");
        assert!(found.starts_with(&expected), "{expected} not in {found}");
    }
}

#[test]
fn comments_that_only_resemble_a_section_are_comments() {
    let text = "\
-- set up as usual
-- note: name the tables well
--
-- name: a
-- settings
-- name
select 1;";
    assert_eq!(kind(text, Dialect::Sqlite), [("select 1".to_owned(), vec![])]);
}

async fn opened(name: &str) -> Pool<SqliteDriver> {
    let driver = SqliteDriver::new(SqliteOptions::shared_memory(name));
    Pool::open(driver, PoolConfig::default()).await.expect("opened")
}

fn custom(text: &str) -> Custom<SqliteDriver> {
    Custom::read("shop.sql", text.as_bytes()).expect("right")
}

/// The number that a query finds.
async fn number(pool: &Pool<SqliteDriver>, query: &str) -> i64 {
    let mut connection = pool.acquire().await.expect("idle");
    connection.query_row(query, (), |row| row.get(0)).await.expect("read")
}

/// Does operations, and says how often each kind was drawn.
async fn work(
    custom: &Custom<SqliteDriver>,
    pool: &Pool<SqliteDriver>,
    count: usize,
) -> Result<Vec<usize>, StepError> {
    let (mut connection, mut rng) = (pool.acquire().await.expect("idle"), Rng::with_seed(1));
    let mut drawn = vec![0; custom.kinds().len()];
    for _ in 0..count {
        let kind = custom.draw(&mut rng);
        drawn[kind] += 1;
        let (connection, rng) = (&mut *connection, &mut rng);
        custom.step(Step { kind, connection, pool, rng }).await?;
    }
    Ok(drawn)
}

const TABLES: &str = "select count(*) from sqlite_schema where type = 'table'";

#[tokio::test]
async fn a_file_is_set_up_run_verified_and_torn_down() {
    let (shop, pool) = (custom(SHOP), opened("custom_shop").await);
    shop.prepare(&pool).await.expect("set up");
    assert_eq!(number(&pool, "select sum(sold) from shop").await, 0, "tried out and undone");
    let drawn = work(&shop, &pool, 2000).await.expect("done");
    // 200 of 2000 are expected, with a standard deviation of 13.
    assert!((120..280).contains(&drawn[1]), "{drawn:?}");
    let held = Checked::Held("1 check of shop.sql found nothing wrong".to_owned());
    assert_eq!(shop.verify(&pool).await.expect("asked"), held);
    work(&custom(&SHOP.replace("sold - 1", "sold - 0")), &pool, 100).await.expect("done");
    let checked = shop.verify(&pool).await.expect("asked");
    let Checked::Broken(words) = checked else { panic!("{checked:?}") };
    assert!(words.starts_with("line 16 of shop.sql found "), "{words}");
    assert_eq!(number(&pool, TABLES).await, 1);
    shop.clean_up(&pool).await.expect("torn down");
    assert_eq!(number(&pool, TABLES).await, 0);
}

#[tokio::test]
async fn a_statement_that_cannot_work_fails_before_the_load_with_its_line() {
    let text = SHOP.replace("sold - 1", "sodl - 1");
    let (shop, pool) = (custom(&text), opened("custom_broken").await);
    let error = shop.prepare(&pool).await.expect_err("broken");
    assert_eq!(error.to_string(), "trying out the statements failed");
    let line = error.source().expect("a cause");
    assert_eq!(line.to_string(), "line 14 of shop.sql failed (code 1)");
    let why = line.source().expect("a cause").to_string();
    assert!(why.contains("no such column: sodl"), "{why}");
    shop.clean_up(&pool).await.expect("torn down");
    assert_eq!(number(&pool, TABLES).await, 0);
}

#[tokio::test]
async fn a_setup_of_which_nothing_was_done_has_nothing_torn_down() {
    let pool = opened("custom_theirs").await;
    let mut connection = pool.acquire().await.expect("idle");
    connection.execute_batch("create table shop (theirs)").await.expect("made");
    drop(connection);
    let shop = custom(SHOP);
    let error = shop.prepare(&pool).await.expect_err("it is there already");
    assert_eq!(error.to_string(), "the setup failed");
    let line = error.source().expect("a cause").to_string();
    assert!(line.starts_with("line 4 of shop.sql failed"), "{line}");
    shop.clean_up(&pool).await.expect("nothing to do");
    assert_eq!(number(&pool, TABLES).await, 1, "somebody else's");
}

#[tokio::test]
async fn failures_of_a_line_are_of_one_kind_whatever_their_figures_are() {
    let text = "\
-- set id = sequence(1)
-- setup
create table shop (id integer check (id < 3 or id > 99));
-- name: sell
insert into shop values (:id);
-- teardown
drop table shop;";
    let (shop, pool) = (custom(text), opened("custom_failures").await);
    shop.prepare(&pool).await.expect("set up");
    assert_eq!(work(&shop, &pool, 2).await.expect("1 and 2 fit: the trial took none"), [2]);
    let error = work(&shop, &pool, 1).await.expect_err("3 does not fit");
    assert_eq!(error.to_string(), "line 5 of shop.sql failed (code 275)");
    assert!(error.source().expect("a cause").to_string().contains("CHECK constraint failed"));
    shop.clean_up(&pool).await.expect("torn down");
}

#[tokio::test]
async fn what_is_drawn_is_sent_beside_the_statement_and_the_same_in_all_of_an_operation() {
    let text = "\
-- set id = sequence(1)
-- set name = choice('''); drop table shop; --')
-- setup
create table shop (id integer, name text);
-- name: sell
insert into shop values (:id, :name);
update shop set id = -:id where id = :id and name = :name;";
    let (shop, pool) = (custom(text), opened("custom_bound").await);
    shop.prepare(&pool).await.expect("set up");
    work(&shop, &pool, 3).await.expect("done");
    let found = "select sum(id) from shop where name = '''); drop table shop; --'";
    assert_eq!(number(&pool, found).await, -6);
}

#[test]
fn only_nothing_and_true_are_no_objection() {
    for (answer, objects) in [
        (Some("0"), None),
        (Some("0.00"), None),
        (Some("t"), None),
        (Some("3"), Some("found 3, and not 0")),
        (Some("1"), Some("found 1, and not 0")),
        (Some("f"), Some("found neither 0 nor true")),
        (None, Some("found nothing, and not 0")),
    ] {
        assert_eq!(objection(answer).as_deref(), objects, "{answer:?}");
    }
}
