-- A shop of two tenants; lines hang on orders.
CREATE TABLE orders (id int PRIMARY KEY, tenant_id int NOT NULL, status text);
CREATE TABLE lines (order_id int REFERENCES orders, n int, PRIMARY KEY (order_id, n));
CREATE INDEX ON orders (tenant_id);
INSERT INTO orders VALUES (1, 7, 'paid'), (2, 7, 'new'), (3, 8, 'new');
INSERT INTO lines VALUES (1, 1), (1, 2), (3, 1);
SELECT dbguard.tenant_enable('orders') \g /dev/null
SELECT dbguard.audit_enable('orders', tenant => 'tenant_id') \g /dev/null
UPDATE orders SET status = 'shipped' WHERE id = 1;
