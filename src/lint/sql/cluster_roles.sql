-- what is set for all roles in all databases cannot be; the order is from weak to strong
SELECT r.oid, r.rolname::text,
       ARRAY(SELECT c.setting
             FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) c(setting)
             WHERE s.setrole IN (0, r.oid)
               AND s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d
                                         WHERE d.datname = pg_catalog.current_database()))
             ORDER BY s.setrole <> 0, s.setdatabase <> 0)
FROM pg_catalog.pg_roles r
WHERE r.rolcanlogin AND NOT r.rolsuper
ORDER BY r.rolname
