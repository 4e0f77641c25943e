-- Events that came before their partitions, two of them at no time, and a table without a DEFAULT partition.
SET dbguard.partition_clock = '2026-11-21 12:00:00+00';
SET TimeZone = 'UTC';
CREATE TABLE events (id int, at timestamptz, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_rest PARTITION OF events DEFAULT;
INSERT INTO events SELECT i, '2026-11-18 00:00:00+00' FROM generate_series(1, 41210) i;
INSERT INTO events SELECT i, '2026-11-19 00:00:00+00' FROM generate_series(1, 39874) i;
INSERT INTO events VALUES (0, 'infinity'), (0, '-infinity');
SELECT dbguard.partition_enable('events', '1 day') \g /dev/null
CREATE TABLE visits (at timestamptz NOT NULL) PARTITION BY RANGE (at);
SELECT dbguard.partition_enable('visits', '1 month') \g /dev/null
