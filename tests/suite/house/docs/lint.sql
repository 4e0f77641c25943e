-- The two tables the page begins with.
CREATE TABLE customers (id serial PRIMARY KEY, email text UNIQUE, deleted_at timestamptz, updated_at timestamptz);
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                     customer_id int REFERENCES customers, total money, placed_at timestamp);
CREATE INDEX ON orders (placed_at);
CREATE INDEX ON orders (placed_at);
