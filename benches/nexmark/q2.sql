-- q2: selection
--
-- Bids for every 123rd auction: a filter that lets little pass. (The original asks for five ids.)
--
-- A query of the Nexmark benchmark as nexmark-flink defines it (https://github.com/nexmark/nexmark,
-- Apache License 2.0). Needs ddl.sql.

CREATE TABLE nexmark_q2 (
  auction BIGINT,
  price BIGINT
) WITH (
  'connector' = 'blackhole'
);

INSERT INTO nexmark_q2
SELECT auction, price
FROM bid
WHERE MOD(auction, 123) = 0;
