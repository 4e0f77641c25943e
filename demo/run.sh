# Sourced by ./dev: a throwaway server and what is shown on it. PG_CONFIG is the private server's.

start_cluster() {
  bin=$("$PG_CONFIG" --bindir) port=5432 database=postgres
  client=$bin/psql; [ -x "$client" ] || client=$(type -P psql) || die "no psql found"
  work=$(mktemp -d /tmp/dbguard.XXXXXX) cluster=$work/server   # short: a socket's path may have 107 bytes
  trap stop_cluster EXIT                        # bash runs it after TERM and HUP too
  trap 'exit 130' INT                           # psql ends its script at Ctrl-C, but is not killed by it
  chmod 711 "$work"; mkdir -m 700 "$cluster"
  if [ "$(id -u)" = 0 ]; then chown "$SERVER_USER:$(id -g "$SERVER_USER")" "$cluster"; fi
  say "starting $("$PG_CONFIG" --version), for this run only"
  quietly "$work/log" as_user "$bin/initdb" -D "$cluster/data" -U postgres -A trust -E UTF8 --locale=C -N
  cat >> "$cluster/data/postgresql.conf" <<-CONF
	listen_addresses = ''
	unix_socket_directories = '$cluster'
	port = $port
	fsync = off
	synchronous_commit = off
	full_page_writes = off
	max_wal_size = 4GB
	log_min_messages = log
	CONF
  quietly "$work/log" as_user "$bin/pg_ctl" -D "$cluster/data" -l "$cluster/log" -w start
}

stop_cluster() {
  trap - EXIT; trap '' INT TERM HUP             # once, and to the end
  if [ -f "$cluster/data/postmaster.pid" ]; then
    as_user "$bin/pg_ctl" -D "$cluster/data" -m immediate -w stop >/dev/null 2>&1 </dev/null || true
  fi
  rm -rf "$work"
}

# psql as the server's user, never as root: a dump may hold \! and \copy FROM PROGRAM. In folder $from, or in one
# that this user can surely enter.
run_psql() {
  (cd "${from:-/}" && as_user PGHOST="$cluster" PGPORT="$port" PGUSER=postgres PGDATABASE="$database" PGCLIENTENCODING=UTF8 \
    HOME="$cluster" TERM="${TERM:-dumb}" PAGER="${PAGER:-less}" LESS="${LESS:--S -F -X}" "$client" -X "$@")
}
# Scripts go in through stdin: the server's user need not be able to read our folder.
run_script() { run_psql -q -v ON_ERROR_STOP=1 -P pager=off -f - < "$1"; }
ask() { run_psql -qAtc "$1" </dev/null; }

new_database() { ask "CREATE DATABASE $1"; database=$1; }

make_shop() {
  new_database shop
  say "making a shop: about 230,000 rows"
  ask "CREATE EXTENSION dbguard"
  run_script demo/shop.sql
}

unpacked() { case $1 in *.gz) gzip -dc < "$1" ;; *) cat < "$1" ;; esac; }

# Files beside the dump that it reads itself: words of its \copy and \i lines that are files.
files_read_by() {
  local word
  unpacked "$1" | grep -aE '^[[:space:]]*\\(copy|i|ir|include|include_relative)[[:space:]]' \
    | grep -aoE '[[:alnum:]_./-]+' | sort -u \
    | while read -r word; do case $word in /*|*..*) ;; *) if [ -f "$2/$word" ]; then echo "$word"; fi ;; esac; done
}

load() {                      # load FILE: go on after errors, as dumps of other servers need; then count them
  local file=$1 folder names name errors readable=yes
  [ "$(unpacked "$file" | head -c 5 | tr -d '\0')" != PGDMP ] || die "this is a custom-format dump: make SQL of it first (pg_restore -f dump.sql ...)"
  folder=$(cd "$(dirname "$file")" && pwd -P)
  names=$(files_read_by "$file" "$folder" || true)
  as_user test -r "$folder" -a -x "$folder" || readable=no
  for name in $names; do as_user test -r "$folder/$name" || readable=no; done
  if [ $readable = no ]; then                   # then what it needs is copied to where the server's user can read it
    mkdir "$work/files"
    for name in $names; do mkdir -p "$work/files/$(dirname "$name")"; cp "$folder/$name" "$work/files/$name"; done
    chmod -R a+rX "$work/files"; folder=$work/files
  fi
  new_database loaded
  say "loading $(basename "$file")"
  SECONDS=0
  unpacked "$file" | from=$folder run_psql -q -P pager=off -f - >/dev/null 2>"$work/errors" || true
  errors=$(grep -acE '(ERROR|FATAL|error):' "$work/errors" || true)
  echo "Loaded in $SECONDS s, $errors errors."
  grep -aE '(ERROR|FATAL|error):' "$work/errors" | sed 's/^psql:<stdin>/line /; s/^/  /' | cut -c1-120 | head -5 || true
  if [ "$errors" -gt 5 ]; then echo "  ..."; fi
  # A dump that creates its database and connects to it has left "loaded" empty.
  name=$(ask "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate" | while read -r database; do
    echo "$(ask "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p') AND oid >= 16384") $database"; done | sort -n | tail -1)
  [ "${name%% *}" -gt 0 ] || die "no table came out of it"
  database=${name#* }
  ask "CREATE EXTENSION IF NOT EXISTS dbguard; ANALYZE"
}

prepare() {                   # prepare [FILE]
  local file=${1:-}
  case $file in ''|/*) ;; *) if [ -f "${OLDPWD:-.}/$file" ]; then file=$OLDPWD/$file; fi ;; esac   # ./dev has changed the directory
  [ -z "$file" ] || { [ -f "$file" ] && [ -r "$file" ]; } || die "cannot read $file"
  start_cluster
  if [ -n "$file" ]; then load "$file"; else make_shop; fi
}

demo() {                      # demo [FILE]
  prepare "$@"
  if [ $# -gt 0 ]; then run_script demo/any.sql; else run_script demo/tour.sql; fi
}

psql() {                      # psql [FILE]: the same, silently, then a prompt
  prepare "$@"
  say "running the demo on it, so that there is something to see"
  if [ $# -gt 0 ]; then run_script demo/any.sql; else run_script demo/tour.sql; fi >"$work/log" 2>&1 \
    || { tail -5 "$work/log" >&2; say "the demo failed here; the server is up all the same"; }
  say "try: TABLE dbguard.audit_log LIMIT 5;  SELECT * FROM dbguard.lint();  \\df dbguard.*    (\\q ends and removes the server)"
  trap : INT                  # Ctrl-C is for the query
  run_psql
}
