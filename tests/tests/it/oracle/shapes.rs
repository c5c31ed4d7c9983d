//! The queries that are checked. `$1` to `$3` become random small numbers.
//!
//! Behind `--` stands the key of the result, so that a sink that goes by key can be checked as well:
//! the newest row of a key has to be the right one. Without it every change is counted, row by row.
//! Behind `<=>` stands what DataFusion is asked where it reads the query in another way, or not at all.

/// Table `t (id BIGINT, a INT, b INT, s STRING)` alone, without state.
const STATELESS: [&str; 16] = [
    "SELECT id, a, b, s FROM t -- id",
    "SELECT id, b, s FROM t WHERE a > $1 -- id",
    "SELECT id, a FROM t WHERE id > $1 -- id",
    "SELECT id, a + b AS c FROM t WHERE a IS NOT NULL -- id",
    "SELECT id, a * $1 - b AS c, UPPER(s) AS u FROM t WHERE a < $2 OR b IS NULL -- id",
    "SELECT id, CASE WHEN a > $1 THEN 'high' WHEN a > $2 THEN 'mid' ELSE s END AS c FROM t -- id",
    "SELECT id, COALESCE(a, b, $1) AS c FROM t WHERE s <> 'x' -- id",
    "SELECT id, a FROM t WHERE a BETWEEN $1 AND $2 -- id",
    "SELECT id, s FROM t WHERE a IN ($1, $2, $3) -- id",
    "SELECT id, c FROM (SELECT id, a + $1 AS c, b FROM t WHERE b > $2) AS q WHERE c < $3 -- id",
    "WITH q AS (SELECT id, a, s FROM t WHERE a IS NOT NULL) SELECT id, s FROM q WHERE a <> $1 -- id",
    "SELECT id, a FROM t WHERE NOT (a > $1 AND b < $2) -- id",
    "SELECT id, s || '-' || s AS c FROM t WHERE CHAR_LENGTH(s) > 1 -- id",
    "SELECT a, b FROM t",
    "SELECT a FROM t WHERE a > $1 UNION ALL SELECT b FROM t WHERE b > $2",
    "SELECT s FROM t UNION ALL SELECT s FROM t WHERE a = $1",
];

/// Groups. That of all rows has a row in batches even if there are none, which a stream cannot know.
const AGGREGATES: [&str; 20] = [
    "SELECT s, COUNT(*) AS n FROM t GROUP BY s",
    "SELECT a, COUNT(b) AS n, SUM(b) AS total FROM t GROUP BY a",
    "SELECT a, MIN(b) AS low, MAX(b) AS high, MIN(s) AS first FROM t GROUP BY a",
    "SELECT a + $1 AS c, SUM(a * b) AS total FROM t GROUP BY a + $1",
    "SELECT a, s, COUNT(*) AS n FROM t WHERE b > $1 GROUP BY a, s",
    "SELECT a, SUM(b) AS total FROM t GROUP BY a HAVING SUM(b) > $1",
    "SELECT a, COUNT(DISTINCT b) AS n, SUM(DISTINCT b) AS total FROM t GROUP BY a",
    "SELECT a, COUNT(*) FILTER (WHERE b > $1) AS n, SUM(b) FILTER (WHERE s <> 'x') AS total FROM t GROUP BY a",
    "SELECT a, s, COUNT(*) AS n, SUM(a) AS total FROM t GROUP BY GROUPING SETS ((a, s), (a), ()) HAVING COUNT(*) > 0",
    "SELECT a, b, COUNT(*) AS n FROM t GROUP BY ROLLUP (a, b) HAVING COUNT(*) > 0",
    "SELECT a, s, MAX(b) AS best FROM t GROUP BY CUBE (a, s) HAVING COUNT(*) > 0",
    "SELECT DISTINCT a, s FROM t",
    "SELECT DISTINCT b FROM t WHERE a < $1",
    "SELECT n, COUNT(*) AS m FROM (SELECT a, COUNT(*) AS n FROM t GROUP BY a) AS q GROUP BY n",
    "SELECT MAX(total) AS best, s FROM (SELECT a, s, SUM(b) AS total FROM t GROUP BY a, s) AS q GROUP BY s",
    "SELECT a FROM t UNION SELECT b FROM t",
    "SELECT a FROM t WHERE a > $1 INTERSECT SELECT b FROM t",
    "SELECT a FROM t EXCEPT SELECT b FROM t WHERE b < $1",
    "SELECT id, COUNT(*) AS n FROM t GROUP BY id -- id",
    "SELECT id, SUM(a) AS total, MAX(s) AS last FROM t GROUP BY id -- id",
];

/// Tables `t` and `u (id BIGINT, a INT, b INT, s STRING)`.
const JOINS: [&str; 23] = [
    // Columns of one name in both tables.
    "SELECT t.s, u.s AS us, COUNT(*) AS n FROM t JOIN u ON t.a = u.a GROUP BY t.s, u.s",
    "SELECT u.b + 1 AS c, t.b AS d, SUM(u.a) AS total FROM t LEFT JOIN u ON t.id = u.id GROUP BY t.b, u.b",
    "SELECT t.a, u.a AS ua, COUNT(*) AS n FROM t FULL JOIN u ON t.id = u.id GROUP BY GROUPING SETS ((t.a, u.a), (u.a))",
    "SELECT a, t.b, u.b AS ub FROM t FULL JOIN u USING (a) \
     <=> SELECT COALESCE(t.a, u.a), t.b, u.b FROM t FULL JOIN u ON t.a = u.a",
    "SELECT a, COUNT(*) AS n FROM t RIGHT JOIN u USING (a) GROUP BY a \
     <=> SELECT u.a, COUNT(*) FROM t RIGHT JOIN u ON t.a = u.a GROUP BY u.a",
    "SELECT t.id, u.s FROM t JOIN u ON t.a = u.a WHERE t.b > u.b OR t.s = u.s",
    "SELECT t.id, u.id AS uid, t.s, u.s AS us FROM t JOIN u ON t.a = u.a",
    "SELECT t.id, t.a, u.b FROM t JOIN u ON t.id = u.id -- id",
    "SELECT t.id, t.a, u.b FROM t LEFT JOIN u ON t.id = u.id -- id",
    "SELECT t.id, u.id AS uid FROM t LEFT JOIN u ON t.a = u.a AND t.b > u.b",
    "SELECT t.id, u.id AS uid FROM t RIGHT JOIN u ON t.a = u.b",
    "SELECT t.id, u.id AS uid, t.s FROM t FULL JOIN u ON t.a = u.a AND t.s = u.s",
    "SELECT t.id, u.id AS uid FROM t JOIN u ON t.a = u.a AND t.b < u.b + $1",
    "SELECT t.id, u.id AS uid FROM t CROSS JOIN u WHERE t.a = $1 AND u.b = $2",
    "SELECT id, s FROM t WHERE a IN (SELECT b FROM u)",
    "SELECT id, s FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a AND u.b > t.b)",
    "SELECT id, s FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.a = t.a)",
    "SELECT t.s, COUNT(*) AS n, SUM(u.b) AS total FROM t JOIN u ON t.a = u.a GROUP BY t.s",
    "SELECT t.id, q.n FROM t JOIN (SELECT a, COUNT(*) AS n FROM u GROUP BY a) AS q ON t.a = q.a",
    "SELECT x.id, y.id AS other FROM t AS x JOIN t AS y ON x.a = y.b",
    "SELECT t.id, u.id AS uid, v.id AS vid FROM t JOIN u ON t.a = u.a JOIN t AS v ON u.b = v.b",
    "SELECT id, a FROM t WHERE b > (SELECT MIN(u.b) FROM u WHERE u.a = t.a)",
    "SELECT t.a, u.s FROM t JOIN u ON t.id + $1 = u.id - $1",
];

/// The first rows. NULL has its place written down, because the two engines have different habits.
const TOP_N: [&str; 9] = [
    "SELECT id, a, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY a ORDER BY b NULLS FIRST, id) AS rn FROM t) AS q \
     WHERE rn <= 2 AND b > $1",
    "SELECT id, s FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY s ORDER BY id DESC) AS rn FROM t) AS q \
     WHERE rn = 1 AND (a < $1 OR b > $2)",
    "SELECT id, a, b FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY a ORDER BY b NULLS FIRST, id) AS rn FROM t) AS q WHERE rn <= 2",
    "SELECT id, a, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY a ORDER BY b DESC NULLS LAST, id) AS rn FROM t) AS q \
     WHERE rn <= 3",
    "SELECT id, s FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY s ORDER BY id DESC) AS rn FROM t) AS q WHERE rn = 1",
    "SELECT id, a FROM t ORDER BY a NULLS FIRST, id LIMIT 3",
    "SELECT id, b FROM t ORDER BY b DESC NULLS LAST, id LIMIT 2 OFFSET 1",
    "SELECT a, n FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY n DESC, a) AS rn FROM \
     (SELECT a, COUNT(*) AS n FROM t WHERE a IS NOT NULL GROUP BY a) AS p) AS q WHERE rn <= 2",
    "SELECT id, rn FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY a, b, id) AS rn FROM t WHERE a > $1 AND b > $2) AS q \
     WHERE rn < 4 AND rn > 1",
];

/// Sub-queries as values, and in conditions that are more than a conjunction.
const SUBQUERIES: [&str; 18] = [
    "SELECT id FROM t WHERE b > ALL (SELECT b FROM u WHERE b IS NOT NULL AND a > $1) \
     <=> SELECT t.id FROM t CROSS JOIN (SELECT COUNT(b) AS n, MAX(b) AS m FROM u WHERE a > $1) AS g WHERE g.n = 0 OR t.b > g.m",
    "SELECT id, b <= ANY (SELECT b FROM u WHERE u.a = t.a) AS x FROM t \
     <=> SELECT t.id, CASE WHEN g.n IS NULL THEN FALSE WHEN t.b <= g.m THEN TRUE WHEN t.b IS NULL OR g.c < g.n THEN NULL \
     ELSE FALSE END FROM t LEFT JOIN (SELECT a, COUNT(*) AS n, COUNT(b) AS c, MAX(b) AS m FROM u GROUP BY a) AS g ON g.a = t.a",
    "SELECT id, s FROM t WHERE (a, b) IN (SELECT a, b FROM u WHERE a > $1) \
     <=> SELECT id, s FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a AND u.b = t.b AND u.a > $1)",
    "SELECT id, s FROM t WHERE (a, s) NOT IN (SELECT b, s FROM u) <=> SELECT id, s FROM t WHERE id NOT IN \
     (SELECT t.id FROM t JOIN u ON (t.a = u.b OR t.a IS NULL OR u.b IS NULL) AND (t.s = u.s OR t.s IS NULL OR u.s IS NULL))",
    "SELECT t.id FROM t JOIN u ON t.id = u.id AND EXISTS (SELECT 1 FROM u AS v WHERE v.a = t.a AND v.b > $1) \
     <=> SELECT t.id FROM t JOIN u ON t.id = u.id WHERE EXISTS (SELECT 1 FROM u AS v WHERE v.a = t.a AND v.b > $1)",
    "SELECT id, a FROM t WHERE a NOT IN (SELECT b FROM u)",
    "SELECT id, a FROM t WHERE a NOT IN (SELECT b FROM u WHERE b IS NOT NULL)",
    "SELECT id FROM t WHERE id NOT IN (SELECT id FROM u) -- id",
    "SELECT id, a FROM t WHERE a > $1 OR EXISTS (SELECT 1 FROM u WHERE u.a = t.b) -- id",
    "SELECT id, a FROM t WHERE a IN (SELECT a FROM u) OR b IN (SELECT b FROM u) -- id",
    "SELECT id, a FROM t WHERE b > $1 OR NOT EXISTS (SELECT 1 FROM u WHERE u.id = t.id AND u.a > $2) -- id",
    "SELECT id, a FROM t WHERE a >= (SELECT MAX(b) FROM u)",
    "SELECT id, a - (SELECT MIN(b) FROM u) AS c FROM t -- id",
    "SELECT id FROM t WHERE a = (SELECT b FROM u ORDER BY b NULLS LAST, id LIMIT 1)",
    "SELECT id, a IN (SELECT b FROM u WHERE a > $1) AS x FROM t \
     <=> SELECT t.id, CASE WHEN h.b IS NOT NULL THEN TRUE WHEN g.n = 0 THEN FALSE WHEN t.a IS NULL OR g.nulls > 0 THEN NULL \
     ELSE FALSE END AS x FROM t CROSS JOIN (SELECT COUNT(*) AS n, COUNT(*) - COUNT(b) AS nulls FROM u WHERE a > $1) AS g \
     LEFT JOIN (SELECT DISTINCT b FROM u WHERE a > $1) AS h ON h.b = t.a",
    "SELECT id, CASE WHEN a NOT IN (SELECT b FROM u WHERE b > $1) THEN 'out' WHEN a IS NULL THEN '?' ELSE 'in' END AS x FROM t \
     <=> SELECT t.id, CASE WHEN g.n = 0 OR t.a IS NOT NULL AND h.b IS NULL THEN 'out' WHEN t.a IS NULL THEN '?' ELSE 'in' END \
     FROM t CROSS JOIN (SELECT COUNT(*) AS n FROM u WHERE b > $1) AS g \
     LEFT JOIN (SELECT DISTINCT b FROM u WHERE b > $1) AS h ON h.b = t.a",
    "SELECT id, EXISTS (SELECT 1 FROM u WHERE u.a = t.a AND u.b > $1) AS x FROM t \
     <=> SELECT t.id, q.a IS NOT NULL FROM t LEFT JOIN (SELECT DISTINCT a FROM u WHERE b > $1) AS q ON q.a = t.a",
    "SELECT s, SUM(CASE WHEN a IN (SELECT b FROM u) THEN 1 ELSE 0 END) AS n FROM t GROUP BY s \
     <=> SELECT s, SUM(CASE WHEN q.b IS NOT NULL THEN 1 ELSE 0 END) FROM t LEFT JOIN (SELECT DISTINCT b FROM u) AS q \
     ON q.b = t.a GROUP BY s",
];

/// The sink's key is unique in the end, but the planner cannot know: rows are kept in front of it.
const FOREIGN_KEYS: [&str; 4] = [
    "SELECT id + $1 AS k, a, s FROM t -- k",
    "SELECT -id AS k, a FROM t WHERE b > $1 -- k",
    "SELECT t.id * 2 AS k, t.a, u.b FROM t LEFT JOIN u ON t.id = u.id -- k",
    "SELECT a + 0 AS k, COUNT(*) AS n, SUM(b) AS total FROM t WHERE a IS NOT NULL GROUP BY a -- k",
];

/// Rows out of values.
const UNNEST: [&str; 10] = [
    "SELECT t.id, u.x FROM t CROSS JOIN UNNEST(ARRAY[t.a, t.b]) AS u (x) \
     <=> SELECT id, a FROM t UNION ALL SELECT id, b FROM t",
    "SELECT id, x, n FROM t CROSS JOIN UNNEST(ARRAY[a, b, a + b]) WITH ORDINALITY AS u (x, n) WHERE x > $1 \
     <=> SELECT id, x, n FROM (SELECT id, a AS x, 1 AS n FROM t UNION ALL SELECT id, b, 2 FROM t UNION ALL \
     SELECT id, a + b, 3 FROM t) AS q WHERE x > $1",
    "SELECT id, x FROM t LEFT JOIN UNNEST(CASE WHEN a > $1 THEN ARRAY[a, b] END) AS u (x) ON TRUE \
     <=> SELECT id, a FROM t WHERE a > $1 UNION ALL SELECT id, b FROM t WHERE a > $1 UNION ALL \
     SELECT id, NULL FROM t WHERE a <= $1 OR a IS NULL",
    "SELECT x, COUNT(*) AS n FROM t, UNNEST(ARRAY[a, b]) AS u (x) GROUP BY x \
     <=> SELECT x, COUNT(*) AS n FROM (SELECT a AS x FROM t UNION ALL SELECT b FROM t) AS q GROUP BY x",
    "SELECT id, u.p, u.q FROM t CROSS JOIN UNNEST(ARRAY[ROW(a, s), ROW(b, 'b')]) AS u (p, q) \
     <=> SELECT id, a, s FROM t UNION ALL SELECT id, b, 'b' FROM t",
    "SELECT id, k, v FROM t CROSS JOIN UNNEST(MAP['a', a, 'b', b]) AS m (k, v) \
     <=> SELECT id, 'a', a FROM t UNION ALL SELECT id, 'b', b FROM t",
    "SELECT s, x FROM (SELECT s, ARRAY_AGG(b) AS xs FROM t GROUP BY s) AS q CROSS JOIN UNNEST(q.xs) AS u (x) \
     <=> SELECT s, b FROM t",
    "SELECT id, x, y FROM t CROSS JOIN UNNEST(ARRAY[a, b]) AS u (x) CROSS JOIN UNNEST(ARRAY[x, $1]) AS v (y) \
     <=> SELECT id, a AS x, a AS y FROM t UNION ALL SELECT id, a, $1 FROM t UNION ALL SELECT id, b AS x, b AS y FROM t \
     UNION ALL SELECT id, b, $1 FROM t",
    "SELECT t.id, q.y FROM t, LATERAL (SELECT x + 1 AS y FROM UNNEST(ARRAY[t.a, t.b]) AS u (x) WHERE x > t.b) AS q \
     <=> SELECT id, a + 1 FROM t WHERE a > b",
    "SELECT t.id, x FROM t JOIN UNNEST(ARRAY[1, 2, $1]) AS u (x) ON t.a = u.x \
     <=> SELECT id, a FROM t WHERE a = 1 UNION ALL SELECT id, a FROM t WHERE a = 2 UNION ALL \
     SELECT id, a FROM t WHERE a = $1",
];

/// Sub-queries in `FROM` that see what stands before them.
const LATERAL: [&str; 5] = [
    "SELECT t.id, q.s AS us FROM t, LATERAL (SELECT u.s FROM u WHERE u.a = t.a AND u.b > $1) AS q \
     <=> SELECT t.id, u.s FROM t JOIN u ON u.a = t.a AND u.b > $1",
    "SELECT t.id, q.n FROM t, LATERAL (SELECT COUNT(*) AS n FROM u WHERE u.a = t.a) AS q \
     <=> SELECT t.id, COALESCE(q.n, 0) FROM t LEFT JOIN (SELECT a, COUNT(*) AS n FROM u GROUP BY a) AS q ON q.a = t.a",
    "SELECT t.id, q.m FROM t LEFT JOIN LATERAL (SELECT MAX(u.b) AS m FROM u WHERE u.a = t.a) AS q ON TRUE \
     <=> SELECT t.id, q.m FROM t LEFT JOIN (SELECT a, MAX(b) AS m FROM u GROUP BY a) AS q ON q.a = t.a",
    "SELECT g.s, q.id FROM (SELECT DISTINCT s FROM t) AS g, \
     LATERAL (SELECT id, a FROM t WHERE t.s = g.s ORDER BY a NULLS FIRST, id LIMIT 2) AS q \
     <=> SELECT s, id FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY s ORDER BY a NULLS FIRST, id) AS rn \
     FROM t WHERE s IS NOT NULL) AS q WHERE rn <= 2",
    "SELECT u.id AS uid, q.id, q.b FROM u LEFT JOIN \
     LATERAL (SELECT * FROM t WHERE t.a = u.a AND t.b > $1 ORDER BY b DESC NULLS LAST, id DESC LIMIT 1) AS q ON TRUE \
     <=> SELECT u.id AS uid, q.id, q.b FROM u LEFT JOIN (SELECT *, ROW_NUMBER() OVER \
     (PARTITION BY a ORDER BY b DESC NULLS LAST, id DESC) AS rn FROM t WHERE b > $1) AS q ON q.a = u.a AND q.rn = 1",
];

/// How often a row is there counts.
const MULTISETS: [&str; 4] = [
    "SELECT a FROM t INTERSECT ALL SELECT b FROM u \
     <=> SELECT l.a FROM (SELECT a, ROW_NUMBER() OVER (PARTITION BY a) AS n FROM t) AS l JOIN \
     (SELECT b, ROW_NUMBER() OVER (PARTITION BY b) AS n FROM u) AS r ON (l.a IS NOT DISTINCT FROM r.b) AND l.n = r.n",
    "SELECT s, a > $1 FROM t EXCEPT ALL SELECT s, b > $1 FROM u \
     <=> SELECT l.s, l.c FROM (SELECT s, a > $1 AS c, ROW_NUMBER() OVER (PARTITION BY s, a > $1) AS n FROM t) AS l \
     LEFT ANTI JOIN (SELECT s, b > $1 AS c, ROW_NUMBER() OVER (PARTITION BY s, b > $1) AS n FROM u) AS r \
     ON (l.s IS NOT DISTINCT FROM r.s) AND (l.c IS NOT DISTINCT FROM r.c) AND l.n = r.n",
    "SELECT s FROM t EXCEPT ALL (SELECT s FROM t WHERE a > $1) <=> SELECT s FROM t WHERE a <= $1 OR a IS NULL",
    "SELECT s, COUNT(*) AS n FROM (SELECT s FROM t INTERSECT ALL SELECT s FROM u) AS q GROUP BY s \
     <=> SELECT l.s, LEAST(l.n, r.n) FROM (SELECT s, COUNT(*) AS n FROM t GROUP BY s) AS l JOIN \
     (SELECT s, COUNT(*) AS n FROM u GROUP BY s) AS r ON l.s IS NOT DISTINCT FROM r.s",
];

/// All of them.
pub(super) fn all() -> Vec<&'static str> {
    [&STATELESS[..], &AGGREGATES, &JOINS, &TOP_N, &SUBQUERIES, &FOREIGN_KEYS, &UNNEST, &LATERAL, &MULTISETS].concat()
}
