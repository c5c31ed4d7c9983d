//! What is in the target after a changelog.

mod support;

use std::sync::Arc;

use arrow_array::{Int32Array, RecordBatch, StringArray};
use sluice_connector_api::SinkWriter;
use sluice_model::{ChangelogBatch, RowKinds, from_pretty};
use support::{Warehouse, id_and_value, keyed};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v text)";
const GREENPLUM: (&str, &str) = ("compatible-mode", "greenplum");

fn changes(rows: &str) -> ChangelogBatch {
    from_pretty("id INT, v STRING", rows)
}

async fn write(writer: &mut Box<dyn SinkWriter>, changelogs: &[&str]) {
    for rows in changelogs {
        writer.write(changes(rows)).await.unwrap();
    }
    writer.flush().await.unwrap();
}

/// `count` rows `first, first + 1, …` with the value `v`, all of one kind.
fn many(first: i32, count: usize, v: &str, kind: u8) -> ChangelogBatch {
    let ids = Int32Array::from_iter_values((first..).take(count));
    let values = StringArray::from_iter_values(std::iter::repeat_n(v, count));
    let rows = RecordBatch::try_new(changes("+I 1 a").schema(), vec![Arc::new(ids), Arc::new(values)]).unwrap();
    ChangelogBatch::try_new(rows, (kind != 0).then(|| RowKinds::from(vec![kind; count]))).unwrap()
}

#[tokio::test]
async fn few_rows() {
    for more in [&[][..], &[GREENPLUM]] {
        let warehouse = Warehouse::new(TABLE).await;
        let mut writer = warehouse.open("t", id_and_value(), more).await.unwrap();
        write(&mut writer, &["+I 1 a / +I 2 b / +I 3 NULL"]).await;
        assert_eq!(warehouse.rows("SELECT * FROM t ORDER BY 1").await, "1 a / 2 b / 3 NULL");
        write(&mut writer, &["-U 1 a / +U 1 z / -D 2 b", "-U 3 NULL / +U 4 d / +I 2 c / -D 2 c"]).await;
        assert_eq!(warehouse.rows("SELECT * FROM t ORDER BY 1").await, "1 z / 4 d");
        write(&mut writer, &["-D 1 z"]).await;
        assert_eq!(warehouse.rows("SELECT * FROM t ORDER BY 1").await, "4 d");
        warehouse.drop().await;
    }
}

#[tokio::test]
async fn the_last_of_repeated_keys_stays() {
    let warehouse = Warehouse::new(TABLE).await;
    let mut writer = warehouse.open("t", id_and_value(), &[]).await.unwrap();
    write(&mut writer, &["+I 1 a / +U 1 b / +U 1 c / -D 2 x / +I 2 y"]).await;
    assert_eq!(warehouse.rows("SELECT * FROM t ORDER BY 1").await, "1 c / 2 y");
    assert_eq!((warehouse.metric("rows_written"), warehouse.metric("rows_reduced")), (2, 3));
    assert_eq!(warehouse.metric("flushes"), 1);
    warehouse.drop().await;
}

#[tokio::test]
async fn many_rows() {
    for more in [&[][..], &[GREENPLUM]] {
        let warehouse = Warehouse::new(TABLE).await;
        let mut writer = warehouse.open("t", id_and_value(), more).await.unwrap();
        // New rows, then rows of which half are new, then updates, then deletions among updates.
        writer.write(many(0, 60_000, "a", 0)).await.unwrap();
        writer.flush().await.unwrap();
        writer.write(many(30_000, 60_000, "b", 0)).await.unwrap();
        writer.flush().await.unwrap();
        writer.write(many(80_000, 20_000, "c", 2)).await.unwrap();
        writer.write(many(0, 10_000, "a", 3)).await.unwrap();
        writer.flush().await.unwrap();
        assert_eq!(
            warehouse.rows("SELECT v, count(*), min(id), max(id) FROM t GROUP BY v ORDER BY v").await,
            "a 20000 10000 29999 / b 50000 30000 79999 / c 20000 80000 99999"
        );
        warehouse.drop().await;
    }
}

#[tokio::test]
async fn rows_without_a_key_are_appended() {
    let warehouse = Warehouse::new("CREATE TABLE t (id int, v text)").await;
    let mut schema = id_and_value();
    schema.primary_key.clear();
    let mut writer = warehouse.open("t", schema, &[]).await.unwrap();
    write(&mut writer, &["+I 1 a / +I 1 a"]).await;
    writer.write(many(1, 5_000, "b", 0)).await.unwrap();
    writer.flush().await.unwrap();
    assert_eq!(warehouse.rows("SELECT v, count(*) FROM t GROUP BY v ORDER BY v").await, "a 2 / b 5000");
    warehouse.drop().await;
}

#[tokio::test]
async fn rows_are_visible_without_a_flush() {
    let warehouse = Warehouse::new(TABLE).await;
    let slow = [("sink.buffer-flush.interval", "60s"), ("sink.buffer-flush.max-rows", "100000")];
    let mut writer = warehouse.open("t", id_and_value(), &slow).await.unwrap();
    writer.write(changes("+I 1 a")).await.unwrap();
    writer.idle().await.unwrap();
    support::eventually(&warehouse, "SELECT * FROM t", "1 a").await;
    warehouse.drop().await;
}

#[tokio::test]
async fn an_update_split_in_two_is_not_seen_as_a_deletion() {
    let warehouse = Warehouse::new(
        "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE deleted (id int);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN EXECUTE format('INSERT INTO %I.deleted VALUES ($1)', TG_TABLE_SCHEMA) USING OLD.id; RETURN OLD; END $$;
         CREATE TRIGGER note BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION note()",
    )
    .await;
    let mut writer = warehouse.open("t", id_and_value(), &[]).await.unwrap();
    write(&mut writer, &["+I 1 a", "-U 1 a", "+U 1 b"]).await;
    assert_eq!(warehouse.rows("SELECT * FROM t").await, "1 b");
    assert_eq!(warehouse.rows("SELECT * FROM deleted").await, "");
    warehouse.drop().await;
}

#[tokio::test]
async fn unique_values_move_between_rows() {
    for more in [&[][..], &[GREENPLUM]] {
        let warehouse = Warehouse::new("CREATE TABLE t (id int PRIMARY KEY, v text UNIQUE)").await;
        let mut writer = warehouse.open("t", id_and_value(), more).await.unwrap();
        write(&mut writer, &["+I 1 five / +I 2 seven"]).await;
        // From a deleted row to a new one, and the other way round.
        write(&mut writer, &["-D 1 five / +I 3 five"]).await;
        write(&mut writer, &["-D 3 five / +I 1 five"]).await;
        assert_eq!(warehouse.rows("SELECT * FROM t ORDER BY 1").await, "1 five / 2 seven");
        // A swap by way of a third value.
        write(&mut writer, &["-U 1 five / +U 1 tmp / -U 2 seven / +U 2 five / -U 1 tmp / +U 1 seven"]).await;
        assert_eq!(warehouse.rows("SELECT * FROM t ORDER BY 1").await, "1 seven / 2 five");
        warehouse.drop().await;
    }
}

#[tokio::test]
async fn a_swap_among_many_rows_and_under_foreign_keys() {
    let warehouse = Warehouse::new(
        "CREATE TABLE t (id int PRIMARY KEY, v text UNIQUE);
         CREATE TABLE child (t int REFERENCES t ON DELETE CASCADE)",
    )
    .await;
    let mut writer = warehouse.open("t", id_and_value(), &[]).await.unwrap();
    write(&mut writer, &["+I 1 a / +I 2 b"]).await;
    warehouse.execute("INSERT INTO child VALUES (1), (2)").await;
    write(&mut writer, &["-U 1 a / +U 1 x / -U 2 b / +U 2 a / -U 1 x / +U 1 b"]).await;
    assert_eq!(warehouse.rows("SELECT * FROM t ORDER BY 1").await, "1 b / 2 a");
    assert_eq!(warehouse.rows("SELECT count(*) FROM child").await, "2", "no row was deleted on the way");
    warehouse.drop().await;
}

#[tokio::test]
async fn keys_that_the_target_holds_for_equal() {
    // Padded text: 'a' and 'a ' are one key there and two here.
    let warehouse = Warehouse::new("CREATE TABLE t (id char(3) PRIMARY KEY, v text)").await;
    let batch = from_pretty("id STRING, v STRING", "+I a 1 / +I 'a ' 2");
    let mut writer = warehouse.open("t", keyed(&batch, &[0]), &[]).await.unwrap();
    writer.write(batch).await.unwrap();
    writer.flush().await.unwrap();
    assert_eq!(warehouse.rows("SELECT v FROM t").await, "2");
    warehouse.drop().await;
}

#[tokio::test]
async fn a_table_that_is_all_key() {
    let warehouse = Warehouse::new("CREATE TABLE t (id int, v text, PRIMARY KEY (v, id))").await;
    let mut schema = id_and_value();
    schema.primary_key = vec![1, 0];
    let mut writer = warehouse.open("t", schema, &[]).await.unwrap();
    write(&mut writer, &["+I 1 a / +I 2 a"]).await;
    write(&mut writer, &["+I 1 a / -D 2 a"]).await;
    assert_eq!(warehouse.rows("SELECT * FROM t").await, "1 a");
    warehouse.drop().await;
}

#[tokio::test]
async fn names_are_folded_as_the_server_does() {
    let warehouse = Warehouse::new("CREATE TABLE orders (userid int PRIMARY KEY, \"Value\" text)").await;
    let batch = from_pretty("userId INT, Value STRING", "+I 1 a");
    let mut writer = warehouse.open("Orders", keyed(&batch, &[0]), &[]).await.unwrap();
    writer.write(batch).await.unwrap();
    writer.flush().await.unwrap();
    assert_eq!(warehouse.rows("SELECT * FROM orders").await, "1 a");
    warehouse.drop().await;
}

#[tokio::test]
async fn a_partitioned_target_and_identity_columns() {
    let warehouse = Warehouse::new(
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, v text, at timestamptz DEFAULT now(), PRIMARY KEY (id))
           PARTITION BY RANGE (id);
         CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100);
         CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (100) TO (100000)",
    )
    .await;
    let mut writer = warehouse.open("t", id_and_value(), &[]).await.unwrap();
    write(&mut writer, &["+I 7 a / +I 700 b"]).await;
    writer.write(many(50, 5_000, "c", 0)).await.unwrap();
    writer.write(many(700, 1, "b", 3)).await.unwrap();
    writer.flush().await.unwrap();
    assert_eq!(warehouse.rows("SELECT v, count(*) FROM t GROUP BY v ORDER BY v").await, "a 1 / c 4999");
    warehouse.drop().await;
}
