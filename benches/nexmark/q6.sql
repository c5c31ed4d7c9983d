-- q6: average selling price of a seller
--
-- The average of the winning bids of the last auctions of each seller: OVER an input that changes. Flink itself refuses
-- it (FLINK-19059). Upstream's text filters by rownum inside the query that defines it, and its sink takes the seller as
-- a string; this is what it means.
--
-- A query of the Nexmark benchmark as nexmark-flink defines it (https://github.com/nexmark/nexmark,
-- Apache License 2.0). Needs ddl.sql.

CREATE TABLE nexmark_q6 (
  seller BIGINT,
  avg_price BIGINT
) WITH (
  'connector' = 'blackhole'
);

INSERT INTO nexmark_q6
SELECT
  Q.seller,
  AVG(Q.price) OVER (PARTITION BY Q.seller ORDER BY Q.`dateTime` ROWS BETWEEN 10 PRECEDING AND CURRENT ROW)
FROM (
  SELECT *
  FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY id, seller ORDER BY price DESC) AS rownum
    FROM (
      SELECT A.id, A.seller, B.price, B.`dateTime`
      FROM auction AS A, bid AS B
      WHERE A.id = B.auction AND B.`dateTime` BETWEEN A.`dateTime` AND A.expires
    )
  )
  WHERE rownum <= 1
) AS Q;
