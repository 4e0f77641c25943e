SELECT h.line_number, h.type, h.database, h.user_name, h.address, h.netmask, h.auth_method, h.options
FROM pg_catalog.pg_hba_file_rules h
WHERE h.error IS NULL
ORDER BY 1
