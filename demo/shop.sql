-- A small shop, made up: some 230,000 rows, the same each time (but for dates, which end today), and the mistakes
-- people make, so that the linter has something to say. Each mistake is marked with "Mistake:".
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;      -- one process, so that random() gives the same rows each time
SELECT setseed(0.42) \g /dev/null

-- One element of a list, by chance; the parameter i only makes the call differ from row to row.
CREATE FUNCTION pg_temp.pick(list text[], i bigint) RETURNS text LANGUAGE sql VOLATILE
  AS $$ SELECT list[1 + floor(random() * array_length(list, 1))::int] WHERE i IS NOT NULL $$;

CREATE TABLE tenants (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,             -- Mistake: int4 key
  slug text NOT NULL UNIQUE,
  name text NOT NULL,
  plan varchar(20) NOT NULL DEFAULT 'basic',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()                    -- Mistake (four times): nobody keeps it right
);
INSERT INTO tenants (slug, name, plan, created_at, updated_at)
SELECT lower(a) || '-' || lower(b), a || ' ' || b, pg_temp.pick('{basic,basic,team,enterprise}', n), d, d
FROM (SELECT row_number() OVER () AS n, a, b, now() - interval '3 years' + random() * interval '1 year' AS d
      FROM unnest('{Alpine,Harbour,Juniper,Copper,Willow,Summit,Lantern,Maple}'::text[]) a,
           unnest('{Books,Outdoor,Kitchen,Bikes,Garden}'::text[]) b) s;

CREATE TABLE customers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id integer REFERENCES tenants,                            -- Mistake: nullable, no index, no row-level security
  email text NOT NULL,
  full_name text NOT NULL,
  phone char(20),                                                  -- Mistake: char(n)
  country text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  UNIQUE (tenant_id, email)      -- Mistake: NULL slips through; and who is soft-deleted can never come back
);
INSERT INTO customers (tenant_id, email, full_name, phone, country, created_at, updated_at, deleted_at)
SELECT 1 + floor(power(random(), 2) * 40)::int, lower(f || '.' || l) || n || '@example.com', f || ' ' || l,
       '+' || (10 + n % 80) || ' ' || (1000000 + floor(random() * 8999999)::int),
       pg_temp.pick('{DE,FR,ES,IT,SE,CL,US,US,GB}', n), d, d, CASE WHEN random() < 0.03 THEN d + interval '90 days' END
FROM (SELECT n, now() - random() * interval '2 years' AS d,
        pg_temp.pick('{Ada,Grace,Linus,Edgar,Barbara,Ken,Margaret,Dennis,Radia,Tony,Hedy,Alan,Katherine,Niklaus}', n) AS f,
        pg_temp.pick('{Moreau,Silva,Okafor,Lindqvist,Haddad,Novak,Ferrari,Tanaka,Weber,Castillo,Brown,Iyer}', n) AS l
      FROM generate_series(1, 12000) n) s;

CREATE TABLE products (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id integer NOT NULL REFERENCES tenants,
  sku text NOT NULL,
  name text NOT NULL,
  "group" text,                                                    -- Mistake: reserved word
  price double precision NOT NULL,                                 -- Mistake: float for money
  attributes json,                                                 -- Mistake: json, not jsonb
  stock integer NOT NULL DEFAULT 0,
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX products_tenant_idx ON products (tenant_id);
CREATE INDEX products_by_tenant ON products (tenant_id);           -- Mistake: the same index again
CREATE UNIQUE INDEX products_sku ON products (tenant_id, sku);     -- Mistake: makes both of them redundant
INSERT INTO products (tenant_id, sku, name, "group", price, attributes, stock)
SELECT 1 + n % 40, 'P-' || lpad(n::text, 5, '0'), c || ' ' || t, t, (5 + floor(random() * 20000) / 100)::numeric(10, 2),
       json_build_object('colour', lower(c), 'grams', 100 + floor(random() * 4000)::int), floor(random() * 300)::int
FROM (SELECT n, pg_temp.pick('{Red,Blue,Green,Black,Oak,Steel,Linen,Amber}', n) AS c,
        pg_temp.pick('{Kettle,Lamp,Tent,Saddle,Notebook,Jacket,Spade,Bottle,Backpack}', n) AS t
      FROM generate_series(1, 1500) n) s;

CREATE TABLE orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id integer NOT NULL REFERENCES tenants,
  customer_id bigint NOT NULL REFERENCES customers,                -- Mistake: foreign key without an index
  status text NOT NULL DEFAULT 'new',
  placed_at timestamp NOT NULL DEFAULT now(),                      -- Mistake: no time zone
  shipping_fee money,                                              -- Mistake: money
  total numeric(12, 2) NOT NULL,
  note text,
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX orders_open_by_tenant ON orders (tenant_id) WHERE status = 'new';   -- Mistake: partial, the key needs all
INSERT INTO orders (tenant_id, customer_id, status, placed_at, shipping_fee, total, updated_at)
SELECT c.tenant_id, c.id, CASE WHEN d > now() - interval '3 days' THEN 'new'
         ELSE pg_temp.pick('{paid,shipped,shipped,shipped,cancelled}', n) END,
       d AT TIME ZONE 'UTC', (floor(random() * 1200) / 100)::numeric::money, 0, d
FROM (SELECT n, 1 + floor(random() * 12000)::bigint AS cid, now() - interval '1 year' * (1 - n / 40000.0) AS d
      FROM generate_series(1, 40000) n) s JOIN customers c ON c.id = cid
ORDER BY n;

CREATE TABLE order_items (
  order_id bigint NOT NULL REFERENCES orders ON DELETE CASCADE,
  line integer NOT NULL,
  product_id integer NOT NULL REFERENCES products,                 -- Mistake: int4 points to int8; no index
  quantity integer NOT NULL,
  unit_price numeric(10, 2) NOT NULL,
  PRIMARY KEY (order_id, line)
);
CREATE INDEX order_items_order ON order_items (order_id);          -- Mistake: the primary key serves it already
INSERT INTO order_items
SELECT o.id, l, p.id, 1 + floor(random() * 4)::int, p.price::numeric
FROM orders o CROSS JOIN generate_series(1, 3) l
JOIN products p ON p.id = 1 + ((o.id * 7 + l * 131) % 1500)
WHERE l <= 1 + o.id % 3;
ALTER TABLE order_items ADD CONSTRAINT quantity_positive CHECK (quantity > 0) NOT VALID;   -- Mistake: never validated
UPDATE orders o SET total = s.total
FROM (SELECT order_id, sum(quantity * unit_price) AS total FROM order_items GROUP BY 1) s WHERE s.order_id = o.id;

CREATE TABLE payments (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  order_id bigint NOT NULL REFERENCES orders,
  method varchar(12) NOT NULL,
  card_number text,
  amount numeric(12, 2) NOT NULL,
  paid_at timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_enabled = false);                               -- Mistake: left off after some bulk load
INSERT INTO payments (order_id, method, card_number, amount, paid_at)
SELECT id, m, CASE m WHEN 'card' THEN '4000 0000 ' || (1000 + id % 9000) || ' ' || (1000 + id * 7 % 9000) END,
       total, placed_at AT TIME ZONE 'UTC' + random() * interval '2 days'
FROM (SELECT o.*, pg_temp.pick('{card,card,card,transfer,wallet}', id) AS m FROM orders o
      WHERE status IN ('paid', 'shipped')) s ORDER BY id;

-- Mistake: days were made by hand, one by one, and end today; what fits nowhere lands in the default partition.
CREATE TABLE events (
  id bigint GENERATED ALWAYS AS IDENTITY,
  at timestamptz NOT NULL,
  tenant_id integer NOT NULL,
  kind text NOT NULL,
  path text,
  PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
SELECT format('CREATE TABLE events_p%s PARTITION OF events FOR VALUES FROM (%L) TO (%L)',
              to_char(d, 'YYYYMMDD'), d::date || ' 00:00+00', d::date + 1 || ' 00:00+00')
FROM generate_series((now() AT TIME ZONE 'UTC')::date - 9, (now() AT TIME ZONE 'UTC')::date, interval '1 day') d \gexec
CREATE TABLE events_default PARTITION OF events DEFAULT;
INSERT INTO events (at, tenant_id, kind, path)
SELECT CASE WHEN n % 400 = 0 THEN '1970-01-01 00:00+00'::timestamptz + n * interval '1 second'   -- a client without a clock
            ELSE now() - (1 - n / 50000.0) * interval '9 days' END,
       1 + floor(random() * 40)::int, pg_temp.pick('{view,view,view,search,cart,checkout}', n), '/p/' || 1 + n * 17 % 1500
FROM generate_series(1, 50000) n;

CREATE TABLE price_history (                                       -- Mistake: no key at all
  product_id bigint NOT NULL REFERENCES products,
  valid_from date NOT NULL,
  price numeric(10, 2) NOT NULL
);
INSERT INTO price_history
SELECT id, current_date - 30 * k, round((price * (1 - 0.02 * k))::numeric, 2) FROM products, generate_series(1, 3) k;

CREATE TABLE exchange_rates (                                      -- Mistake: unique, but no primary key
  currency text NOT NULL,
  day date NOT NULL,
  rate numeric(12, 6) NOT NULL,
  UNIQUE (currency, day)
);
INSERT INTO exchange_rates
SELECT c, d::date, round((0.5 + random())::numeric, 6)
FROM unnest('{USD,GBP,SEK,CLP}'::text[]) c, generate_series(current_date - 365, current_date, interval '1 day') d;

CREATE TABLE "Invoices" (                                          -- Mistake: names that must be quoted for ever
  "InvoiceNo" serial PRIMARY KEY,
  order_id bigint NOT NULL REFERENCES orders,
  issued_on date NOT NULL
);
CREATE INDEX ON "Invoices" (order_id);
-- Mistake: 95 % of what an int4 can count is used
SELECT setval('"Invoices_InvoiceNo_seq"', 2040000000) \g /dev/null
INSERT INTO "Invoices" (order_id, issued_on) SELECT order_id, min(paid_at)::date FROM payments WHERE id % 3 = 0 GROUP BY 1;
CREATE POLICY own_invoices ON "Invoices" USING (true);             -- Mistake: a policy that nothing enforces

CREATE TABLE api_keys (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id integer NOT NULL REFERENCES tenants, label text);
CREATE INDEX ON api_keys (tenant_id);
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;                    -- Mistake: enabled, but no policy
INSERT INTO api_keys (tenant_id, label) SELECT id, 'default' FROM tenants;

CREATE TABLE coupons (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code text NOT NULL UNIQUE, percent integer NOT NULL);
INSERT INTO coupons (code, percent) SELECT 'SAVE' || n, n FROM generate_series(5, 50, 5) n;
CREATE FUNCTION coupon_changed() RETURNS trigger LANGUAGE plpgsql
  AS $$ BEGIN NEW.code := upper(NEW.code); RETURN NEW; END $$;
CREATE TRIGGER coupon_changed BEFORE INSERT OR UPDATE ON coupons FOR EACH ROW EXECUTE FUNCTION coupon_changed();
CREATE FUNCTION coupon_removed() RETURNS trigger LANGUAGE plpgsql  -- Mistake: NEW is NULL here: DELETE does nothing
  AS $$ BEGIN RAISE LOG 'coupon removed'; RETURN NEW; END $$;
CREATE TRIGGER coupon_removed BEFORE DELETE ON coupons FOR EACH ROW EXECUTE FUNCTION coupon_removed();

CREATE FUNCTION tenant_revenue(tenant integer) RETURNS numeric     -- Mistake: the caller's search_path, the owner's rights
  LANGUAGE sql STABLE SECURITY DEFINER
  AS 'SELECT sum(amount) FROM payments JOIN orders ON orders.id = order_id WHERE tenant_id = tenant';

ANALYZE;
