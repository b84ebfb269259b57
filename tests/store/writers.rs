//! Many writers at once on one SQLite file, in one process and in several.

use std::time::{Duration, Instant};

use sqlx::{query, query_as};
use tempfile::TempDir;
use tm_server::store::{Db, Tx};

/// Writers, half of them on each of two handles that know nothing of each other, as two processes would.
const WRITERS: usize = 8;
/// Transactions of all writers together.
const TRANSACTIONS: usize = 10_000;
/// A writer is refused when it waited for 30 s; none should come near that.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

async fn run(tx: &mut Tx, sql: &'static str, argument: i64) {
    let Tx::Sqlite(connection) = tx else { unreachable!("opened as SQLite") };
    query(sql).bind(argument).execute(&mut **connection).await.unwrap();
}

async fn number(tx: &mut Tx, sql: &'static str) -> i64 {
    let Tx::Sqlite(connection) = tx else { unreachable!("opened as SQLite") };
    let (number,) = query_as(sql).fetch_one(&mut **connection).await.unwrap();
    number
}

/// Read a counter, add one, and write a row that must be unique; the value is the longest wait for the right to.
async fn count_up(db: Db, transactions: usize) -> Duration {
    let mut longest = Duration::ZERO;
    for _ in 0..transactions {
        let asked = Instant::now();
        let mut tx = db.write().await.unwrap();
        longest = longest.max(asked.elapsed());
        let value = number(&mut tx, "select value from counters").await;
        run(&mut tx, "update counters set value = $1 + 1", value).await;
        run(&mut tx, "insert into counted (value) values ($1)", value).await;
        tx.commit().await.unwrap();
    }
    longest
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_writers_on_two_handles_lose_no_update_and_none_is_refused() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("tmserver.sqlite");
    let handles = [Db::open_sqlite(&file).await.unwrap(), Db::open_sqlite(&file).await.unwrap()];
    let mut tx = handles[0].write().await.unwrap();
    run(&mut tx, "create table counters (value bigint not null)", 0).await;
    run(&mut tx, "create table counted (value bigint not null unique)", 0).await;
    run(&mut tx, "insert into counters (value) values ($1)", 0).await;
    tx.commit().await.unwrap();

    let began = Instant::now();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(count_up(handles[writer % 2].clone(), TRANSACTIONS / WRITERS));
    }
    let longest = writers.join_all().await.into_iter().max().unwrap();
    println!("{TRANSACTIONS} transactions in {:.1?}, longest wait {longest:.1?}", began.elapsed());

    let mut tx = handles[1].read().await.unwrap();
    let all = i64::try_from(TRANSACTIONS).unwrap();
    assert_eq!(number(&mut tx, "select value from counters").await, all);
    assert_eq!(number(&mut tx, "select count(*) from counted").await, all);
    assert!(longest < LONGEST_WAIT, "a writer waited {longest:?}");
}
