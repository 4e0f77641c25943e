-- A shop whose application reads orders of two tenants, and everything that tenant_check warns of.
CREATE ROLE shop_app;
SET docs.reader = 'shop_app';
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id bigint, total numeric, email text UNIQUE);
INSERT INTO orders (tenant_id, total) VALUES (1, 10), (1, 20), (2, 30);
CREATE VIEW totals AS SELECT sum(total) FROM orders;
CREATE TABLE invoices (id int PRIMARY KEY, tenant_id bigint);
GRANT SELECT, INSERT, TRUNCATE ON orders TO shop_app;
GRANT SELECT ON totals TO shop_app;
ANALYZE orders;
