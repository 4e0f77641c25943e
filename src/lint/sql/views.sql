-- what the query of a view names, and whether it asks for the session's role or a setting
SELECT r.ev_class, pg_catalog.array_agg(DISTINCT d.refobjid),
       pg_catalog.bool_or(r.ev_action::text ~ '{SQLVALUEFUNCTION :op (9|10|11|12) |{FUNCEXPR :funcid (2077|3294) ')
FROM pg_catalog.pg_rewrite r
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
WHERE r.ev_type = '1' AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> r.ev_class
  AND r.ev_class >= 16384
GROUP BY r.ev_class
