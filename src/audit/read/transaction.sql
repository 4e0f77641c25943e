SELECT l.id, l.at, l.op, l.schema_name, l.table_name, l.key, l.old_key, l.old, l.new, l.actor, l.tenant,
       l.session_user_name, l.current_user_name, l.xact, l.application_name, l.client_addr, l.context, l.query
FROM dbguard.audit_log l
WHERE l.xact = $1
ORDER BY l.at, l.id
