-- those that nobody may connect to as well: their age counts like the others'
SELECT d.datname::text, pg_catalog.age(d.datfrozenxid)::int8, pg_catalog.mxid_age(d.datminmxid)::int8
FROM pg_catalog.pg_database d
ORDER BY 1
