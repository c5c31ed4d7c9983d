-- Sales: MySQL business_db.store_sales ─► Kafka topic tpcds.store_sales
--                                      └► warehouse table tpcds.store_sales_heap
--
-- One CDC connection, two sinks. Run it again after a stop or a crash: it goes on where it stopped.
--   sql-client -f jobs/01-sales-cdc-sync.sql

SET 'pipeline.name' = 'sales-cdc-sync';
SET 'execution.checkpointing.interval' = '10s';

CREATE TABLE store_sales (
  ss_sold_date_sk       INT,
  ss_sold_time_sk       INT,
  ss_item_sk            INT NOT NULL,
  ss_customer_sk        INT,
  ss_cdemo_sk           INT,
  ss_hdemo_sk           INT,
  ss_addr_sk            INT,
  ss_store_sk           INT,
  ss_promo_sk           INT,
  ss_ticket_number      BIGINT NOT NULL,
  ss_quantity           INT,
  ss_wholesale_cost     DECIMAL(7, 2),
  ss_list_price         DECIMAL(7, 2),
  ss_sales_price        DECIMAL(7, 2),
  ss_ext_discount_amt   DECIMAL(7, 2),
  ss_ext_sales_price    DECIMAL(7, 2),
  ss_ext_wholesale_cost DECIMAL(7, 2),
  ss_ext_list_price     DECIMAL(7, 2),
  ss_ext_tax            DECIMAL(7, 2),
  ss_coupon_amt         DECIMAL(7, 2),
  ss_net_paid           DECIMAL(7, 2),
  ss_net_paid_inc_tax   DECIMAL(7, 2),
  ss_net_profit         DECIMAL(7, 2),
  PRIMARY KEY (ss_item_sk, ss_ticket_number) NOT ENFORCED
) WITH (
  'connector' = 'mysql-cdc',
  'hostname' = '127.0.0.1',
  'port' = '23306',
  'username' = 'sluice',
  'password' = 'sluice-secret',
  'database-name' = 'business_db',
  'table-name' = 'store_sales',
  'server-id' = '5001-5010',
  'scan.incremental.snapshot.enabled' = 'true',
  'scan.incremental.snapshot.chunk.size' = '8192',
  'debezium.snapshot.mode' = 'initial'
);

CREATE TABLE kafka_store_sales (
  ss_sold_date_sk       INT,
  ss_sold_time_sk       INT,
  ss_item_sk            INT NOT NULL,
  ss_customer_sk        INT,
  ss_cdemo_sk           INT,
  ss_hdemo_sk           INT,
  ss_addr_sk            INT,
  ss_store_sk           INT,
  ss_promo_sk           INT,
  ss_ticket_number      BIGINT NOT NULL,
  ss_quantity           INT,
  ss_wholesale_cost     DECIMAL(7, 2),
  ss_list_price         DECIMAL(7, 2),
  ss_sales_price        DECIMAL(7, 2),
  ss_ext_discount_amt   DECIMAL(7, 2),
  ss_ext_sales_price    DECIMAL(7, 2),
  ss_ext_wholesale_cost DECIMAL(7, 2),
  ss_ext_list_price     DECIMAL(7, 2),
  ss_ext_tax            DECIMAL(7, 2),
  ss_coupon_amt         DECIMAL(7, 2),
  ss_net_paid           DECIMAL(7, 2),
  ss_net_paid_inc_tax   DECIMAL(7, 2),
  ss_net_profit         DECIMAL(7, 2),
  PRIMARY KEY (ss_item_sk, ss_ticket_number) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'tpcds.store_sales',
  'properties.bootstrap.servers' = '127.0.0.1:29092',
  'key.format' = 'json',
  'value.format' = 'json',
  'sink.partitioner' = 'round-robin',
  'json.ignore-parse-errors' = 'true'
);

CREATE TABLE warehouse_store_sales (
  ss_sold_date_sk       INT,
  ss_sold_time_sk       INT,
  ss_item_sk            INT NOT NULL,
  ss_customer_sk        INT,
  ss_cdemo_sk           INT,
  ss_hdemo_sk           INT,
  ss_addr_sk            INT,
  ss_store_sk           INT,
  ss_promo_sk           INT,
  ss_ticket_number      BIGINT NOT NULL,
  ss_quantity           INT,
  ss_wholesale_cost     DECIMAL(7, 2),
  ss_list_price         DECIMAL(7, 2),
  ss_sales_price        DECIMAL(7, 2),
  ss_ext_discount_amt   DECIMAL(7, 2),
  ss_ext_sales_price    DECIMAL(7, 2),
  ss_ext_wholesale_cost DECIMAL(7, 2),
  ss_ext_list_price     DECIMAL(7, 2),
  ss_ext_tax            DECIMAL(7, 2),
  ss_coupon_amt         DECIMAL(7, 2),
  ss_net_paid           DECIMAL(7, 2),
  ss_net_paid_inc_tax   DECIMAL(7, 2),
  ss_net_profit         DECIMAL(7, 2),
  PRIMARY KEY (ss_item_sk, ss_ticket_number) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://127.0.0.1:25432/warehouse',
  'table-name' = 'tpcds.store_sales_heap',
  'username' = 'sluice',
  'password' = 'sluice-secret',
  'sink.buffer-flush.max-rows' = '1000',
  'sink.buffer-flush.interval' = '2s',
  'sink.parallelism' = '2'
);

INSERT INTO kafka_store_sales SELECT * FROM store_sales;
INSERT INTO warehouse_store_sales SELECT * FROM store_sales;
