SET dbguard.partition_clock = '2026-11-21 12:00:00+00';
SET TimeZone = 'UTC';
CREATE TABLE orders (id int PRIMARY KEY, status text, updated_at timestamptz, card_number text);
CREATE TABLE events (at timestamptz NOT NULL) PARTITION BY RANGE (at);
