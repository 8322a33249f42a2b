CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, item TEXT, price REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO orders SELECT i, 'customer ' || (i * 7919 % 97), printf('item %0*d', i % 60 + 1, i), i * 0.25 FROM n;
CREATE INDEX by_customer ON orders (customer);
SELECT customer, count(*), sum(price), group_concat(item) FROM orders GROUP BY customer ORDER BY 3 DESC LIMIT 5;
DELETE FROM orders WHERE id % 3 = 0;
VACUUM;
SELECT count(*), sum(length(item)) FROM orders;
