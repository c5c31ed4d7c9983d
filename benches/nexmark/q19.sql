-- q19: top 10 prices of an auction
--
-- The ten highest bids of each auction with their ranks: Top-N.
--
-- A query of the Nexmark benchmark as nexmark-flink defines it (https://github.com/nexmark/nexmark,
-- Apache License 2.0). Needs ddl.sql.

CREATE TABLE nexmark_q19 (
  auction BIGINT,
  bidder BIGINT,
  price BIGINT,
  channel VARCHAR,
  url VARCHAR,
  `dateTime` TIMESTAMP(3),
  extra VARCHAR,
  rank_number BIGINT
) WITH (
  'connector' = 'blackhole'
);

INSERT INTO nexmark_q19
SELECT *
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS rank_number
  FROM bid
)
WHERE rank_number <= 10;
