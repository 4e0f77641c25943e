CREATE VIEW dbguard.audit_events AS
SELECT l.id,
       l.at,
       l.op,
       'row' AS object_type,
       l.schema_name,
       pg_catalog.format('%I.%I', l.schema_name, l.table_name) COLLATE "C" AS object,
       l.key,
       l.old,
       l.new,
       NULL::text AS command,
       l.actor,
       l.tenant,
       l.session_user_name,
       l.current_user_name,
       l.xact,
       l.application_name,
       l.client_addr,
       l.context
FROM dbguard.audit_log l
UNION ALL
SELECT c.id,
       c.at,
       CASE c.op WHEN 'X' THEN 'DROP' ELSE c.tag END,
       c.object_type,
       c.schema_name,
       c.object,
       NULL, NULL, NULL,
       c.command,
       t.actor,
       c.tenant,
       t.session_user_name,
       t.current_user_name,
       c.xact,
       t.application_name,
       t.client_addr,
       t.context
FROM dbguard.audit_command c
LEFT JOIN dbguard.audit_context t ON t.id = c.context AND t.at <= c.at AND t.at > c.at - interval '1 hour';
COMMENT ON VIEW dbguard.audit_events IS 'Changes of rows and commands on objects (DDL) together; order by id';
