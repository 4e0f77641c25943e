-- A shop whose orders can be deleted, one of them long ago; and customers who come back with the same address.
CREATE TABLE orders (id int PRIMARY KEY, total numeric, deleted_at timestamptz);
INSERT INTO orders VALUES (1, 10), (2, 20);
CREATE TABLE customers (id int PRIMARY KEY, email text UNIQUE, deleted_at timestamptz);
