//! What the connection's own calls return, and what they say when they cannot.

use std::error::Error as _;

use mysql_async::{Row, params};
use pool_core::Driver as _;
use pool_mysql::{MysqlConnection, MysqlError, MysqlOptions, mysql_async};

use crate::rig::{Schema, pool_of_one, try_connect, within};

const COUNT: &str = "SELECT count(*) FROM notes";

async fn count(connection: &mut MysqlConnection) -> u64 {
    connection.query_first(COUNT).await.expect("answered").expect("a row")
}

#[tokio::test]
async fn rows_are_read_as_what_is_asked_for() {
    let schema = Schema::new().await;
    let mut connection = schema.connect().await;
    let rows: Vec<(u32, String)> =
        connection.query("SELECT 1, 'a' UNION SELECT 2, 'b'").await.expect("answered");
    assert_eq!(rows, [(1, "a".to_owned()), (2, "b".to_owned())]);
    let first: Option<(u32, String)> =
        connection.query_first("SELECT 1, 'a' UNION SELECT 2, 'b'").await.expect("answered");
    assert_eq!(first, Some((1, "a".to_owned())));
    let rows: Vec<u32> =
        connection.exec("SELECT CAST(? AS SIGNED) + 2", (1,)).await.expect("answered");
    assert_eq!(rows, [3]);
    let sql = "SELECT CAST(:a AS SIGNED) - CAST(:b AS SIGNED)";
    let row = connection.exec_first(sql, params! { "a" => 5, "b" => 2 }).await.expect("answered");
    assert_eq!(row, Some(3));
    let none: Option<u32> =
        connection.exec_first("SELECT 1 FROM notes", ()).await.expect("answered");
    assert_eq!(none, None);
    let rows: Vec<Option<u32>> = connection.query("SELECT NULL").await.expect("answered");
    assert_eq!(rows, [None]);
}

#[tokio::test]
async fn a_row_of_another_type_is_an_error_that_shows_no_data() {
    let schema = Schema::new().await;
    let mut connection = schema.connect().await;
    let error = connection.query::<u32>("SELECT 'private'").await.expect_err("not a number");
    assert_eq!(error.to_string(), "a row of 1 columns cannot be read as u32");
    let error = connection.query::<(u32, u32)>("SELECT NULL, 1").await.expect_err("no number");
    assert!(!format!("{error:?}").contains("private"));
    let error = connection.exec_first::<(u32, u32), _>("SELECT 1, 'x'", ()).await;
    assert!(matches!(error, Err(MysqlError::Row { columns: 2, .. })), "{error:?}");
    assert_eq!(connection.query::<u32>("SELECT 1").await.expect("goes on"), [1]);
}

#[tokio::test]
async fn what_a_statement_did_is_told() {
    let schema = Schema::new().await;
    let mut connection = schema.connect().await;
    let sql = "CREATE TABLE numbered (id BIGINT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(9))";
    connection.query_drop(sql).await.expect("created");
    let sql = "INSERT INTO numbered (text) VALUES (?), (?)";
    let done = connection.exec_drop(sql, ("a", "b")).await.expect("inserted");
    assert_eq!((done.affected_rows, done.last_insert_id), (2, Some(1)));
    let done = connection.query_drop("UPDATE numbered SET text = 'c'").await.expect("changed");
    assert_eq!((done.affected_rows, done.last_insert_id), (2, None));
}

#[tokio::test]
async fn a_batch_runs_once_with_each_of_its_parameters() {
    let schema = Schema::new().await;
    let mut connection = schema.connect().await;
    let sql = "INSERT INTO notes VALUES (?)";
    let rows = (0..500).map(|number| (format!("note {number}"),));
    connection.batch(sql, rows).await.expect("inserted");
    assert_eq!(count(&mut connection).await, 500);
    connection.query_drop("START TRANSACTION").await.expect("begun");
    // Not yet prepared.
    let sql = "INSERT INTO notes VALUES (?), ('x')";
    connection.batch(sql, Vec::<(u32,)>::new()).await.expect("nothing to do");
    assert_eq!(connection.in_transaction(), Some(true), "nothing was asked, nothing changed");
}

#[tokio::test]
async fn of_several_statements_the_first_that_fails_is_the_last() {
    let schema = Schema::new().await;
    let mut connection = schema.connect().await;
    let sql = "INSERT INTO notes VALUES ('a'); INSERT INTO missing VALUES ('b'); \
               INSERT INTO notes VALUES ('c')";
    let error = connection.query_drop(sql).await.expect_err("no such table");
    assert_eq!((error.code(), error.sql_state()), (Some(1146), Some("42S02")));
    assert_eq!(count(&mut connection).await, 1);
}

#[tokio::test]
async fn a_failed_statement_speaks_once_and_costs_nothing() {
    let schema = Schema::new().await;
    let pool = pool_of_one(schema.options());
    let mut guard = pool.acquire().await.expect("opened");
    let error = guard.query_drop("SELEKT 1").await.expect_err("no such word");
    assert!(error.to_string().ends_with("(error 1064, SQLSTATE 42000)"), "{error}");
    assert!(error.source().is_none());
    let error = guard.exec_drop("SELECT * FROM missing", ()).await.expect_err("no such table");
    assert_eq!(error.code(), Some(1146));
    drop(guard);
    let mut guard = within(pool.acquire()).await.expect("the next turn");
    guard.query_drop("DO 1").await.expect("answered");
    assert_eq!(pool.stats().opened, 1, "the same connection");
}

#[tokio::test]
async fn a_statement_larger_than_the_server_takes_is_an_error_and_not_a_hang() {
    let schema = Schema::new().await;
    let pool = pool_of_one(schema.options());
    let mut guard = pool.acquire().await.expect("opened");
    let limit: Option<usize> =
        guard.query_first("SELECT @@max_allowed_packet").await.expect("answered");
    let text = "x".repeat(limit.expect("a row") + 1);
    let error = within(guard.query::<Row>(&format!("SELECT '{text}'"))).await;
    let error = error.expect_err("too large").to_string();
    assert!(error.len() < 200, "does not repeat the statement");
    drop(guard);
    let mut guard = within(pool.acquire()).await.expect("the next turn");
    assert_eq!(guard.query::<u32>("SELECT 1").await.expect("answered"), [1]);
}

#[tokio::test]
async fn prepared_statements_are_kept_within_bounds_and_closed() {
    let schema = Schema::new().await;
    let duplicate = "INSERT INTO once VALUES (1)";
    let sql = format!("CREATE TABLE once (x INT PRIMARY KEY); {duplicate}");
    schema.connect().await.query_drop(&sql).await.expect("created");
    for statement_cache in [0, 3] {
        let options = MysqlOptions { statement_cache, ..schema.options() };
        let mut connection = try_connect(options).await.expect("opened");
        for round in 0..10 {
            for number in 0..6 {
                let sql = format!("SELECT {number} + ?");
                let row: Option<u32> = connection.exec_first(&sql, (1,)).await.expect("answered");
                assert_eq!(row, Some(number + 1), "round {round}");
                connection.exec::<u32, _>(&sql, (1,)).await.expect("answered");
                connection.exec_drop(&sql, (1,)).await.expect("answered");
                let sql = format!("INSERT INTO notes SELECT {number} + ?");
                connection.batch(&sql, [(1,)]).await.expect("inserted");
                connection.exec_drop(duplicate, ()).await.expect_err("once prepared");
            }
        }
        let prepared = counter(&mut connection, "Com_stmt_prepare").await;
        let closed = counter(&mut connection, "Com_stmt_close").await;
        assert_eq!(prepared - closed, statement_cache as u64, "of {prepared}");
    }
}

async fn counter(connection: &mut MysqlConnection, name: &str) -> u64 {
    let sql = format!("SHOW SESSION STATUS LIKE '{name}'");
    let row: Option<(String, u64)> = connection.query_first(&sql).await.expect("answered");
    row.expect("counted").1
}

#[tokio::test]
async fn a_table_that_changes_is_no_trouble_for_a_prepared_statement() {
    let schema = Schema::new().await;
    let mut connection = schema.connect().await;
    let sql = "SELECT * FROM notes";
    connection.query_drop("INSERT INTO notes VALUES ('a')").await.expect("inserted");
    let rows: Vec<Row> = connection.exec(sql, ()).await.expect("answered");
    assert_eq!(rows[0].len(), 1);
    connection.query_drop("ALTER TABLE notes ADD COLUMN more INT DEFAULT 7").await.expect("done");
    let rows: Vec<(String, u32)> = connection.exec(sql, ()).await.expect("answered");
    assert_eq!(rows, [("a".to_owned(), 7)]);
}

#[tokio::test]
async fn a_transaction_is_rolled_back_when_it_is_dropped() {
    let schema = Schema::new().await;
    let mut connection = schema.connect().await;
    let insert = "INSERT INTO notes VALUES ('x')";
    let mut transaction = connection.transaction().await.expect("begun");
    transaction.query_drop(insert).await.expect("inserted");
    drop(transaction);
    connection.query_drop(insert).await.expect("inserted, in no transaction");
    assert_eq!(count(&mut connection).await, 1, "what came after the drop alone");
    assert_eq!(connection.in_transaction(), Some(false));

    let mut transaction = connection.transaction().await.expect("begun");
    transaction.query_drop(insert).await.expect("inserted");
    transaction.rollback().await.expect("rolled back");
    assert_eq!(count(&mut connection).await, 1);

    let mut transaction = connection.transaction().await.expect("begun");
    let error = transaction.transaction().await.expect_err("nested");
    assert!(matches!(error, MysqlError::Nested), "{error}");
    transaction.query_drop(insert).await.expect("inserted");
    transaction.commit().await.expect("committed");
    assert_eq!(count(&mut schema.connect().await).await, 2, "for everybody");
}

#[tokio::test]
async fn raw_access_comes_after_the_rollback_that_is_owed() {
    use mysql_async::prelude::Queryable as _;

    let schema = Schema::new().await;
    let mut connection = schema.connect().await;
    let mut transaction = connection.transaction().await.expect("begun");
    transaction.query_drop("INSERT INTO notes VALUES ('x')").await.expect("inserted");
    drop(transaction);
    let raw = connection.raw().await.expect("rolled back");
    assert_eq!(raw.query_first(COUNT).await.expect("answered"), Some(0));
}

#[tokio::test]
async fn a_write_in_a_transaction_that_only_reads_is_its_user_s_affair() {
    let schema = Schema::new().await;
    let pool = pool_of_one(schema.options());
    let mut connection = pool.acquire().await.expect("opened");
    let session = connection.server_id();
    connection.query_drop("START TRANSACTION READ ONLY").await.expect("begun");
    let error = connection.query_drop("INSERT INTO notes VALUES ('x')").await;
    let error = error.expect_err("read only");
    assert_eq!(error.code(), Some(1792));
    assert_eq!(pool.driver().classify(&error), pool_core::ErrorClass::Transient);
    drop(connection);
    assert_eq!(pool.acquire().await.expect("idle").server_id(), session);
}
