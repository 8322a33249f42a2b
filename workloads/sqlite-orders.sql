-- A shop's orders in memory: load, index, search, report, correct, archive, compact, go on.
PRAGMA threads = 2;
PRAGMA cache_size = -500;
CREATE TABLE orders(
  id INTEGER PRIMARY KEY, customer TEXT, item TEXT, qty INT, cents INT, day INT, note TEXT);
CREATE VIRTUAL TABLE search USING fts5(note);

-- Load: 2,500 orders, 40 a day, with notes of 18 to 943 characters.
INSERT INTO orders(customer, item, qty, cents, day, note)
WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
SELECT printf('customer-%04d', i * 7919 % 500), printf('item-%03d', i * 104729 % 97),
       1 + i % 9, 199 + i * 37 % 9000, i / 40,
       substr('leave with the neighbour, ring twice, ref ', 1 + i % 30)
         || printf('%0*d', 1 + i * i % 901, i)
FROM n;
CREATE INDEX by_customer ON orders(customer, day);
SELECT 'loaded', count(*) FROM orders;

-- Search: a document for each tenth order.
INSERT INTO search(rowid, note)
SELECT id, customer || ' ' || item || ' ' || substr(note, 1, 60) FROM orders WHERE id % 10 = 0;
SELECT 'found', count(*) FROM search WHERE search MATCH 'neighbour AND twice';

-- Report: group, build one long JSON text, sort all rows by their notes (worker threads help).
SELECT 'best', customer, sum(qty * cents) AS total
FROM orders GROUP BY customer ORDER BY total DESC LIMIT 1;
SELECT 'json', length(json_group_array(json_object('id', id, 'item', item, 'note', note)))
FROM orders WHERE day < 30;
SELECT 'sorted', sum(place) FROM
  (SELECT row_number() OVER (ORDER BY note DESC, id) AS place FROM orders);

-- Correct: longer notes, new prices.
UPDATE orders SET note = note || ' (gift) ' || hex(zeroblob(qty * 40)) WHERE id % 4 = 0;
UPDATE orders SET item = upper(item), cents = cents * 9 / 10 WHERE customer < 'customer-0100';

-- Archive and compact.
DELETE FROM orders WHERE day < 50;
DROP TABLE search;
VACUUM;
SELECT 'kept', count(*), max(length(note)) FROM orders;

-- Go on: 400 short orders for a new week, and a last report.
INSERT INTO orders(customer, item, qty, cents, day)
WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 400)
SELECT printf('customer-%04d', i * 7919 % 500), printf('item-%03d', i % 97), 1, 499, 63 FROM n;
SELECT 'days', group_concat(n) FROM (SELECT count(*) AS n FROM orders GROUP BY day);
