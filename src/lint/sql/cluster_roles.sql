-- what is set for all roles in all databases cannot be; the order is from weak to strong
WITH RECURSIVE direct AS (
  -- from 16 on a membership may be good for nothing but granting it
  SELECT m.member, m.roleid FROM pg_catalog.pg_auth_members m
  WHERE coalesce((pg_catalog.to_jsonb(m) ->> 'inherit_option')::bool, true)
     OR coalesce((pg_catalog.to_jsonb(m) ->> 'set_option')::bool, true)),
membership AS (
  SELECT d.member, d.roleid FROM direct d
  UNION
  SELECT m.member, d.roleid FROM membership m JOIN direct d ON d.member = m.roleid)
SELECT r.oid, r.rolname::text,
       ARRAY(SELECT c.setting
             FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) c(setting)
             WHERE s.setrole IN (0, r.oid)
               AND s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d
                                         WHERE d.datname = pg_catalog.current_database()))
             ORDER BY s.setrole <> 0, s.setdatabase <> 0),
       ARRAY(SELECT m.roleid FROM membership m WHERE m.member = r.oid)
FROM pg_catalog.pg_roles r
WHERE r.rolcanlogin AND NOT r.rolsuper
ORDER BY r.rolname
