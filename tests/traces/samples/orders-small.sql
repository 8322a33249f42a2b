-- A small shop: what the recordings of SQLite among the samples were made of.
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, amount REAL, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO orders SELECT i, 'customer ' || (i % 40), i * 1.25, substr('a note that is long enough', 1, i % 27) FROM n;
CREATE INDEX by_customer ON orders (customer, amount);
SELECT customer, count(*), sum(amount) FROM orders GROUP BY customer ORDER BY 3 DESC LIMIT 5;
SELECT length(json_group_array(json_object('id', id, 'note', note))) FROM orders;
UPDATE orders SET note = note || ' changed' WHERE id % 3 = 0;
DELETE FROM orders WHERE id % 5 = 0;
SELECT count(*), total(amount) FROM orders;
