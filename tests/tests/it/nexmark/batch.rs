//! What the queries mean, in the SQL of a batch engine.
//!
//! Where both engines read the same text the same way it is the text of `benches/nexmark`; windows are
//! joins and groups here, and averages of whole numbers are cut off as Flink does.

/// What there is to be said about a query's result.
pub(super) enum Check {
    /// It is that of this batch query.
    Equal(&'static str),
    /// Processing time decides which window an event is in, so that the windows of two runs differ; the
    /// numbers of a key (second and first column) still add up to those of this query.
    Sums(&'static str),
    /// It is refused with these words, as by Flink.
    Refused(&'static str),
}
use Check::{Equal, Refused, Sums};

/// Columns of the kinds of events, in the order of `event_type`: `name:` is a text, `name@` a time.
pub(super) const EVENTS: [(&str, &str); 3] = [
    ("person", "id name: emailAddress: creditCard: city: state: dateTime@ extra:"),
    ("auction", "id itemName: description: initialBid reserve dateTime@ expires@ seller category extra:"),
    ("bid", "auction bidder price channel: url: dateTime@ extra:"),
];

/// All of them.
pub(super) const QUERIES: [(&str, Check); 24] = [
    ("q0", Equal("SELECT auction, bidder, price, dateTime, extra FROM bid")),
    ("q1", Equal("SELECT auction, bidder, CAST(0.908 AS DECIMAL(4, 3)) * price AS price, dateTime, extra FROM bid")),
    ("q2", Equal("SELECT auction, price FROM bid WHERE auction % 123 = 0")),
    (
        "q3",
        Equal(
            "SELECT P.name, P.city, P.state, A.id FROM auction AS A JOIN person AS P ON A.seller = P.id
             WHERE A.category = 10 AND P.state IN ('OR', 'ID', 'CA')",
        ),
    ),
    (
        "q4",
        Equal(
            "SELECT category, SUM(final) / COUNT(final) FROM (
               SELECT MAX(B.price) AS final, A.category FROM auction AS A, bid AS B
               WHERE A.id = B.auction AND B.dateTime BETWEEN A.dateTime AND A.expires GROUP BY A.id, A.category
             ) GROUP BY category",
        ),
    ),
    ("q5", Equal(HOT_ITEMS)),
    ("q6", Refused("must be defined on a time attribute")),
    (
        "q7",
        Equal(
            "SELECT B.auction, B.price, B.bidder, B.dateTime, B.extra FROM bid AS B JOIN (
               SELECT MAX(price) AS maxprice,
                 date_bin(INTERVAL '10 seconds', dateTime) + INTERVAL '10 seconds' AS dateTime
               FROM bid GROUP BY date_bin(INTERVAL '10 seconds', dateTime)
             ) AS B1 ON B.price = B1.maxprice
             WHERE B.dateTime BETWEEN B1.dateTime - INTERVAL '10 seconds' AND B1.dateTime",
        ),
    ),
    (
        "q8",
        Equal(
            "SELECT P.id, P.name, P.start FROM (
               SELECT DISTINCT id, name, date_bin(INTERVAL '10 seconds', dateTime) AS start FROM person
             ) AS P JOIN (
               SELECT DISTINCT seller, date_bin(INTERVAL '10 seconds', dateTime) AS start FROM auction
             ) AS A ON P.id = A.seller AND P.start = A.start",
        ),
    ),
    (
        "q9",
        Equal(
            "SELECT id, itemName, description, initialBid, reserve, dateTime, expires, seller, category, extra,
               auction, bidder, price, bid_dateTime, bid_extra
             FROM (
               SELECT A.*, B.auction, B.bidder, B.price, B.dateTime AS bid_dateTime, B.extra AS bid_extra,
                 ROW_NUMBER() OVER (PARTITION BY A.id ORDER BY B.price DESC, B.dateTime ASC) AS rownum
               FROM auction AS A, bid AS B
               WHERE A.id = B.auction AND B.dateTime BETWEEN A.dateTime AND A.expires
             ) WHERE rownum <= 1",
        ),
    ),
    (
        "q10",
        Equal(
            "SELECT auction, bidder, price, dateTime, extra, to_char(dateTime, '%Y-%m-%d'), to_char(dateTime, '%H:%M')
             FROM bid",
        ),
    ),
    ("q11", Equal(SESSIONS)),
    ("q12", Sums("SELECT bidder, COUNT(*) FROM bid GROUP BY bidder")),
    ("q13", Equal("SELECT auction, bidder, price, dateTime, CAST(auction % 10000 AS VARCHAR) FROM bid")),
    (
        "q14",
        Equal(
            "SELECT auction, bidder, CAST(0.908 AS DECIMAL(4, 3)) * price,
               CASE WHEN date_part('hour', dateTime) BETWEEN 8 AND 18 THEN 'dayTime'
                 WHEN date_part('hour', dateTime) <= 6 OR date_part('hour', dateTime) >= 20 THEN 'nightTime'
                 ELSE 'otherTime' END,
               dateTime, extra, length(extra) - length(replace(extra, 'c', ''))
             FROM bid WHERE CAST(0.908 AS DECIMAL(4, 3)) * price > 1000000
               AND CAST(0.908 AS DECIMAL(4, 3)) * price < 50000000",
        ),
    ),
    (
        "q15",
        Equal(
            "SELECT to_char(dateTime, '%Y-%m-%d'), COUNT(*), COUNT(*) FILTER (WHERE price < 10000),
               COUNT(*) FILTER (WHERE price >= 10000 AND price < 1000000), COUNT(*) FILTER (WHERE price >= 1000000),
               COUNT(DISTINCT bidder), COUNT(DISTINCT CASE WHEN price < 10000 THEN bidder END),
               COUNT(DISTINCT CASE WHEN price >= 10000 AND price < 1000000 THEN bidder END),
               COUNT(DISTINCT CASE WHEN price >= 1000000 THEN bidder END),
               COUNT(DISTINCT auction), COUNT(DISTINCT CASE WHEN price < 10000 THEN auction END),
               COUNT(DISTINCT CASE WHEN price >= 10000 AND price < 1000000 THEN auction END),
               COUNT(DISTINCT CASE WHEN price >= 1000000 THEN auction END)
             FROM bid GROUP BY to_char(dateTime, '%Y-%m-%d')",
        ),
    ),
    (
        "q16",
        Equal(
            "SELECT channel, to_char(dateTime, '%Y-%m-%d'), MAX(to_char(dateTime, '%H:%M')), COUNT(*),
               COUNT(*) FILTER (WHERE price < 10000),
               COUNT(*) FILTER (WHERE price >= 10000 AND price < 1000000), COUNT(*) FILTER (WHERE price >= 1000000),
               COUNT(DISTINCT bidder), COUNT(DISTINCT CASE WHEN price < 10000 THEN bidder END),
               COUNT(DISTINCT CASE WHEN price >= 10000 AND price < 1000000 THEN bidder END),
               COUNT(DISTINCT CASE WHEN price >= 1000000 THEN bidder END),
               COUNT(DISTINCT auction), COUNT(DISTINCT CASE WHEN price < 10000 THEN auction END),
               COUNT(DISTINCT CASE WHEN price >= 10000 AND price < 1000000 THEN auction END),
               COUNT(DISTINCT CASE WHEN price >= 1000000 THEN auction END)
             FROM bid GROUP BY channel, to_char(dateTime, '%Y-%m-%d')",
        ),
    ),
    (
        "q17",
        Equal(
            "SELECT auction, to_char(dateTime, '%Y-%m-%d'), COUNT(*), COUNT(*) FILTER (WHERE price < 10000),
               COUNT(*) FILTER (WHERE price >= 10000 AND price < 1000000), COUNT(*) FILTER (WHERE price >= 1000000),
               MIN(price), MAX(price), SUM(price) / COUNT(price), SUM(price)
             FROM bid GROUP BY auction, to_char(dateTime, '%Y-%m-%d')",
        ),
    ),
    (
        "q18",
        Equal(
            "SELECT auction, bidder, price, channel, url, dateTime, extra FROM (
               SELECT *, ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY dateTime DESC) AS rank_number FROM bid
             ) WHERE rank_number <= 1",
        ),
    ),
    (
        // Of equal prices the one that came first is the better one; an auction's bids come in the order of their times.
        "q19",
        Equal(
            "SELECT * FROM (
               SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC, dateTime) AS rank_number FROM bid
             ) WHERE rank_number <= 10",
        ),
    ),
    (
        "q20",
        Equal(
            "SELECT B.auction, B.bidder, B.price, B.channel, B.url, B.dateTime, B.extra,
               A.itemName, A.description, A.initialBid, A.reserve, A.dateTime, A.expires, A.seller, A.category, A.extra
             FROM bid AS B JOIN auction AS A ON B.auction = A.id WHERE A.category = 10",
        ),
    ),
    (
        "q21",
        Equal(
            "SELECT auction, bidder, price, channel, CASE lower(channel)
               WHEN 'apple' THEN '0' WHEN 'google' THEN '1' WHEN 'facebook' THEN '2' WHEN 'baidu' THEN '3'
               ELSE regexp_match(url, '(&|^)channel_id=([^&]*)')[2] END
             FROM bid WHERE regexp_match(url, '(&|^)channel_id=([^&]*)')[2] IS NOT NULL
               OR lower(channel) IN ('apple', 'google', 'facebook', 'baidu')",
        ),
    ),
    (
        "q22",
        Equal(
            "SELECT auction, bidder, price, channel,
               split_part(url, '/', 4), split_part(url, '/', 5), split_part(url, '/', 6) FROM bid",
        ),
    ),
    (
        "q23",
        Equal(
            "SELECT B.bidder, B.price, B.channel, B.url, B.extra,
               P.id, P.name, P.emailAddress, P.creditCard, P.city, P.state, P.extra,
               A.itemName, A.description, A.initialBid, A.reserve, A.dateTime, A.expires, A.seller, A.category, A.extra
             FROM bid AS B JOIN person AS P ON P.id = B.bidder JOIN auction AS A ON A.seller = B.bidder",
        ),
    ),
];

/// q5: an event is in five windows of ten seconds that begin two seconds apart.
const HOT_ITEMS: &str = "
WITH counts AS (
  SELECT auction, start, COUNT(*) AS num FROM (
    SELECT auction, date_bin(INTERVAL '2 seconds', dateTime) - back AS start
    FROM bid CROSS JOIN (
      VALUES (INTERVAL '0 seconds'), (INTERVAL '2 seconds'), (INTERVAL '4 seconds'), (INTERVAL '6 seconds'),
        (INTERVAL '8 seconds')
    ) AS steps (back)
  ) GROUP BY auction, start
)
SELECT auction, num FROM counts
JOIN (SELECT start, MAX(num) AS most FROM counts GROUP BY start) AS best
ON counts.start = best.start AND num >= most";

/// q11: a session ends when ten seconds, and no less, have gone by without a bid.
const SESSIONS: &str = "
SELECT bidder, COUNT(*), MIN(dateTime), MAX(dateTime) + INTERVAL '10 seconds' FROM (
  SELECT bidder, dateTime, SUM(begins) OVER (PARTITION BY bidder ORDER BY dateTime) AS session FROM (
    SELECT bidder, dateTime,
      CASE WHEN dateTime - LAG(dateTime) OVER (PARTITION BY bidder ORDER BY dateTime) <= INTERVAL '10 seconds'
        THEN 0 ELSE 1 END AS begins
    FROM bid
  )
) GROUP BY bidder, session";
