//! Open transactions, as the driver tells them.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use pool_core::{Activity, ActivityQuery as _};
use pool_mysql::{MysqlConnection, MysqlDriver, mysql_async};
use pool_testkit::servers::{Family, Server, chosen};
use tokio::task::block_in_place;

use crate::rig::{Schema, admin_of, within};

async fn told(schema: &Schema, connection: &mut MysqlConnection) -> Activity {
    let driver = MysqlDriver::new(schema.options());
    within(driver.activity(connection)).await.expect("answered")
}

/// Asks until what is told fits.
async fn told_is(
    schema: &Schema,
    connection: &mut MysqlConnection,
    fits: impl Fn(Activity) -> bool,
) -> Activity {
    within(async {
        loop {
            let told = told(schema, connection).await;
            if fits(told) {
                return told;
            }
            // The server looks anew when nobody has asked for a tenth of a second.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_transactions_are_told_and_those_who_do_nothing_in_them() {
    // Nobody else's transactions.
    let product = chosen(Family::MySql).expect("a product");
    let server = block_in_place(|| Server::start(product)).expect("started");
    let schema = Schema::on(server.access()).await;
    let mut admin = admin_of(server.access()).await;
    admin
        .query_drop(format!("GRANT PROCESS ON *.* TO {}@'%'", schema.name))
        .await
        .expect("granted");
    let mut asking = schema.connect().await;
    // What the server says in its own time is not taken for this one.
    asking.query_drop("SET time_zone = '-11:00'").await.expect("set");
    asking.query_drop("BEGIN; SELECT * FROM notes").await.expect("its own transaction");
    // It is left out.
    told_is(&schema, &mut asking, |told| told == Activity::default()).await;

    let (mut one, mut busy) = (schema.connect().await, schema.connect().await);
    let select = "BEGIN; SELECT * FROM notes; SELECT SLEEP(1000)";
    let sleep = busy.query_drop(select);
    let asked = async {
        let is_busy = |told: Activity| {
            let oldest = told.oldest_transaction.unwrap_or_default();
            oldest >= Duration::from_secs(1) && told.oldest_idle_in_transaction.is_none()
        };
        let told = told_is(&schema, &mut asking, is_busy).await;
        assert!(told.oldest_transaction < Some(Duration::from_mins(30)), "{told:?}");
        one.query_drop("BEGIN; SELECT * FROM notes").await.expect("begun");
        let is_idle =
            |told: Activity| told.oldest_idle_in_transaction >= Some(Duration::from_secs(1));
        let told = told_is(&schema, &mut asking, is_idle).await;
        assert!(told.oldest_idle_in_transaction <= told.oldest_transaction, "{told:?}");
        one.query_drop("ROLLBACK").await.expect("ended");
        told_is(&schema, &mut asking, is_busy).await;
    };
    tokio::select! {
        biased;
        ended = sleep => panic!("ended by itself: {ended:?}"),
        () = asked => {}
    }
}

#[tokio::test]
async fn a_user_who_may_not_ask_for_others_transactions_gets_the_servers_words() {
    let schema = Schema::new().await;
    let driver = MysqlDriver::new(schema.options());
    let mut connection = schema.connect().await;
    let error = within(driver.activity(&mut connection)).await.expect_err("not allowed");
    let message = error.to_string();
    assert!(
        message.contains("PROCESS") && message.contains("(error 1227, SQLSTATE 42000)"),
        "{message}"
    );
}
