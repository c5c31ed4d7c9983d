//! Whole job files, in the styles that people write.

use super::super::{Statement, parse_script, split};

const COPY: &str = "
-- sync orders
SET 'execution.checkpointing.interval' = '3s';
set parallelism.default = 2;
SET table.exec.state.ttl=8640000;

CREATE TABLE IF NOT EXISTS mysql_store_sales (
    ss_sold_date_sk INT,
    ss_item_sk INT NOT NULL,
    ss_ticket_number BIGINT NOT NULL,
    ss_sales_price DECIMAL(7,2),
    proc_time AS PROCTIME(),
    PRIMARY KEY (ss_item_sk, ss_ticket_number) NOT ENFORCED
) WITH (
    'connector' = 'mysql-cdc',
    'hostname' = 'mysql',
    'port' = '3306',
    'username' = 'root',
    'password' = '123456',
    'database-name' = 'business_db',
    'table-name' = 'store_sales',
    'server-id' = '5001-5010',
    'scan.incremental.snapshot.enabled' = 'true',
    'scan.incremental.snapshot.chunk.size' = '8192',
    'debezium.snapshot.mode' = 'initial'
);

CREATE TABLE kafka_store_sales (
    ss_sold_date_sk INT,
    ss_item_sk INT,
    ss_ticket_number BIGINT,
    PRIMARY KEY (ss_item_sk, ss_ticket_number) NOT ENFORCED
) WITH (
    'connector' = 'upsert-kafka',
    'topic' = 'tpcds.store_sales',
    'properties.bootstrap.servers' = 'kafka:29092',
    'key.format' = 'json',
    'value.format' = 'json'
);

create table pg_store_sales (
   `ss_item_sk` INT
  ,`ss_ticket_number` BIGINT
  ,PRIMARY KEY (`ss_item_sk`) NOT ENFORCED
)with(
   'connector'='jdbc'
  ,'url'='jdbc:postgresql://h:5432/db?user=a&password=b;x'
);

BEGIN STATEMENT SET;
INSERT INTO kafka_store_sales SELECT ss_sold_date_sk, ss_item_sk, ss_ticket_number FROM mysql_store_sales;
INSERT INTO pg_store_sales
SELECT ss_item_sk, ss_ticket_number
FROM mysql_store_sales
WHERE ss_sales_price > 0;
END;
";

const ENRICH: &str = "
CREATE TEMPORARY VIEW enriched AS
SELECT o.*, COALESCE(c.name, 'n/a') AS customer, DATE_FORMAT(o.ts, 'yyyy-MM-dd') AS dt,
       CASE WHEN o.amount > 100 THEN 'big' ELSE 'small' END AS size_class
FROM orders AS o
LEFT JOIN customers FOR SYSTEM_TIME AS OF o.proc_time AS c ON o.customer_id = c.id
LEFT JOIN products /*+ OPTIONS('scan.startup.mode'='earliest-offset') */ p ON o.product_id = p.id;

EXECUTE STATEMENT SET
BEGIN
  INSERT INTO totals SELECT /*+ STATE_TTL('enriched'='1d') */ dt, COUNT(*), SUM(amount), COUNT(DISTINCT customer_id)
  FROM enriched GROUP BY dt HAVING COUNT(*) > 1;
  INSERT INTO top SELECT dt, customer, amount FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY dt ORDER BY amount DESC) AS rn FROM enriched
  ) WHERE rn <= 10;
  INSERT INTO minutes SELECT window_start, window_end, SUM(amount)
  FROM TABLE(TUMBLE(TABLE enriched, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
  GROUP BY window_start, window_end;
END;
SELECT * FROM totals
";

#[test]
fn job_files_are_read() {
    let kinds = |script: &str| {
        parse_script(script)
            .unwrap_or_else(|error| panic!("{error}"))
            .iter()
            .map(|(_, statement)| match statement {
                Statement::Set { .. } => "SET",
                Statement::CreateTable(_) => "TABLE",
                Statement::CreateView(_) => "VIEW",
                Statement::StatementSet(_) => "STATEMENT SET",
                Statement::Query(_) => "QUERY",
                _ => "?",
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(COPY), ["SET", "SET", "SET", "TABLE", "TABLE", "TABLE", "STATEMENT SET"]);
    assert_eq!(kinds(ENRICH), ["VIEW", "STATEMENT SET", "QUERY"]);
}

#[test]
fn windows_line_ends_and_byte_order_marks_are_fine() {
    let script = format!("\u{feff}{}", COPY.replace('\n', "\r\n"));
    assert_eq!(parse_script(&script).unwrap().len(), 7);
    assert_eq!(split(&script).unwrap()[0].position().line, 3);
}

#[test]
fn templates_are_reported_as_such() {
    let error = parse_script("SELECT * FROM ${TABLE}").unwrap_err();
    assert_eq!(error.what(), "unexpected character '$'");
    assert_eq!(
        error.hint(),
        Some("if it starts a placeholder such as ${NAME}, fill it in before the statement is run")
    );
}
