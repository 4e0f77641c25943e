-- A shop: orders that many change at once, payments made before anybody thought of updated_at, empty notes.
CREATE TABLE orders (id int PRIMARY KEY, total numeric, version int, updated_at timestamptz NOT NULL DEFAULT now());
SELECT dbguard.touch_enable('orders', what => 'version') \g /dev/null
INSERT INTO orders VALUES (1, 10, 4);
CREATE TABLE payments (id int PRIMARY KEY);
CREATE TABLE notes (body text);
