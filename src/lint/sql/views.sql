-- what the query of a view names, whether it asks for the session's role or a setting, and whether
-- it does more than choose among columns and rows of one relation
SELECT r.ev_class, d.reads,
       r.ev_action::text ~ '{SQLVALUEFUNCTION :op (9|10|11|12) |{FUNCEXPR :funcid (2077|3294) ',
       pg_catalog.cardinality(d.reads) > 1 OR r.ev_action::text ~
         '{JOINEXPR |:hasAggs true|:hasWindowFuncs true|:hasSubLinks true|:groupClause [(][{]|:distinctClause [(][{]|:setOperations [{]|:limitCount [{]'
FROM pg_catalog.pg_rewrite r
JOIN (SELECT w.oid, pg_catalog.array_agg(DISTINCT x.refobjid) AS reads
      FROM pg_catalog.pg_rewrite w
      JOIN pg_catalog.pg_depend x ON x.classid = 'pg_catalog.pg_rewrite'::regclass AND x.objid = w.oid
      WHERE w.ev_type = '1' AND w.ev_class >= 16384
        AND x.refclassid = 'pg_catalog.pg_class'::regclass AND x.refobjid <> w.ev_class
      GROUP BY w.oid
     ) d ON d.oid = r.oid
