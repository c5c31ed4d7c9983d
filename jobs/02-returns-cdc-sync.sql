-- Returns: MySQL business_db.store_returns ─► Kafka topic tpcds.store_returns
--                                        └► warehouse table tpcds.store_returns_heap
--
-- One CDC connection, two sinks. Run it again after a stop or a crash: it goes on where it stopped.
--   sql-client -f jobs/02-returns-cdc-sync.sql

SET 'pipeline.name' = 'returns-cdc-sync';
SET 'execution.checkpointing.interval' = '10s';

CREATE TABLE store_returns (
  sr_returned_date_sk   INT,
  sr_return_time_sk     INT,
  sr_item_sk            INT NOT NULL,
  sr_customer_sk        INT,
  sr_cdemo_sk           INT,
  sr_hdemo_sk           INT,
  sr_addr_sk            INT,
  sr_store_sk           INT,
  sr_reason_sk          INT,
  sr_ticket_number      BIGINT NOT NULL,
  sr_return_quantity    INT,
  sr_return_amt         DECIMAL(7, 2),
  sr_return_tax         DECIMAL(7, 2),
  sr_return_amt_inc_tax DECIMAL(7, 2),
  sr_fee                DECIMAL(7, 2),
  sr_return_ship_cost   DECIMAL(7, 2),
  sr_refunded_cash      DECIMAL(7, 2),
  sr_reversed_charge    DECIMAL(7, 2),
  sr_store_credit       DECIMAL(7, 2),
  sr_net_loss           DECIMAL(7, 2),
  PRIMARY KEY (sr_item_sk, sr_ticket_number) NOT ENFORCED
) WITH (
  'connector' = 'mysql-cdc',
  'hostname' = '127.0.0.1',
  'port' = '23306',
  'username' = 'sluice',
  'password' = 'sluice-secret',
  'database-name' = 'business_db',
  'table-name' = 'store_returns',
  'server-id' = '5011-5020',
  'scan.incremental.snapshot.enabled' = 'true',
  'scan.incremental.snapshot.chunk.size' = '8192',
  'debezium.snapshot.mode' = 'initial'
);

CREATE TABLE kafka_store_returns (
  sr_returned_date_sk   INT,
  sr_return_time_sk     INT,
  sr_item_sk            INT NOT NULL,
  sr_customer_sk        INT,
  sr_cdemo_sk           INT,
  sr_hdemo_sk           INT,
  sr_addr_sk            INT,
  sr_store_sk           INT,
  sr_reason_sk          INT,
  sr_ticket_number      BIGINT NOT NULL,
  sr_return_quantity    INT,
  sr_return_amt         DECIMAL(7, 2),
  sr_return_tax         DECIMAL(7, 2),
  sr_return_amt_inc_tax DECIMAL(7, 2),
  sr_fee                DECIMAL(7, 2),
  sr_return_ship_cost   DECIMAL(7, 2),
  sr_refunded_cash      DECIMAL(7, 2),
  sr_reversed_charge    DECIMAL(7, 2),
  sr_store_credit       DECIMAL(7, 2),
  sr_net_loss           DECIMAL(7, 2),
  PRIMARY KEY (sr_item_sk, sr_ticket_number) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'tpcds.store_returns',
  'properties.bootstrap.servers' = '127.0.0.1:29092',
  'key.format' = 'json',
  'value.format' = 'json',
  'sink.partitioner' = 'round-robin',
  'json.ignore-parse-errors' = 'true'
);

CREATE TABLE warehouse_store_returns (
  sr_returned_date_sk   INT,
  sr_return_time_sk     INT,
  sr_item_sk            INT NOT NULL,
  sr_customer_sk        INT,
  sr_cdemo_sk           INT,
  sr_hdemo_sk           INT,
  sr_addr_sk            INT,
  sr_store_sk           INT,
  sr_reason_sk          INT,
  sr_ticket_number      BIGINT NOT NULL,
  sr_return_quantity    INT,
  sr_return_amt         DECIMAL(7, 2),
  sr_return_tax         DECIMAL(7, 2),
  sr_return_amt_inc_tax DECIMAL(7, 2),
  sr_fee                DECIMAL(7, 2),
  sr_return_ship_cost   DECIMAL(7, 2),
  sr_refunded_cash      DECIMAL(7, 2),
  sr_reversed_charge    DECIMAL(7, 2),
  sr_store_credit       DECIMAL(7, 2),
  sr_net_loss           DECIMAL(7, 2),
  PRIMARY KEY (sr_item_sk, sr_ticket_number) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://127.0.0.1:25432/warehouse',
  'table-name' = 'tpcds.store_returns_heap',
  'username' = 'sluice',
  'password' = 'sluice-secret',
  'sink.buffer-flush.max-rows' = '1000',
  'sink.buffer-flush.interval' = '2s',
  'sink.parallelism' = '2'
);

INSERT INTO kafka_store_returns SELECT * FROM store_returns;
INSERT INTO warehouse_store_returns SELECT * FROM store_returns;
