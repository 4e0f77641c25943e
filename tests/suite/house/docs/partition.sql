-- Two empty tables, one with UUIDv7 as its key, and a clock that stands still.
SET dbguard.partition_clock = '2026-11-21 12:00:00+00';
SET TimeZone = 'UTC';
CREATE TABLE orders (id uuid NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE events (at timestamptz NOT NULL) PARTITION BY RANGE (at);
