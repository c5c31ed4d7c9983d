# shellcheck shell=bash
#
# PostgreSQL, from the distribution's packages. Their own server, on the usual
# port, is not used and is kept from starting when they are installed.

POSTGRES_VERSION=15
POSTGRES_BIN=/usr/lib/postgresql/$POSTGRES_VERSION/bin

postgres_installed() { [[ -x $POSTGRES_BIN/postgres && -x $POSTGRES_BIN/psql ]]; }

postgres_packages() { say "postgresql-$POSTGRES_VERSION" "postgresql-client-$POSTGRES_VERSION"; }

postgres_install() { :; }

postgres_ports() { say "$POSTGRES_PORT"; }

postgres_configure() {
  install -m 0644 "$SCRIPTS_DIR/postgresql.conf" "$SCRIPTS_DIR/pg_hba.conf" "$1/"
}

# The users are made by a server that nobody can connect to (--single), so
# that a data directory has either all of them or does not get its name.
postgres_init() {
  as_server "$1" "$POSTGRES_BIN/initdb" --pgdata="$2" --username=postgres --auth=reject \
    --encoding=UTF8 --locale=C.UTF-8 --no-sync
  as_server "$1" "$POSTGRES_BIN/postgres" --single -D "$2" -c exit_on_error=true \
    -c password_encryption=scram-sha-256 postgres <"$SCRIPTS_DIR/postgres-users.sql"
}

# The socket goes to the server's working directory, which is its data
# directory: a whole path may be too long for a socket. A killed server leaves
# its lock files behind, and the next one believes them if the process id there is
# taken again. That nobody uses the data directory was checked before.
postgres_start() {
  rm -f "$1"/data/postmaster.pid "$1"/data/.s.PGSQL.*.lock
  spawn "$1" "$POSTGRES_BIN/postgres" -D "$1/data" \
    -c config_file="$1/postgresql.conf" -c hba_file="$1/pg_hba.conf" \
    -c listen_addresses="$SERVICES_HOST" -c port="$POSTGRES_PORT" -c unix_socket_directories=.
}

# Its "fast" shutdown: on TERM it would wait for all clients to leave.
postgres_stop_signal() { say INT; }

postgres_client() {
  env -u PGOPTIONS -u PGSSLMODE -u PGSERVICE PGPASSWORD="$SLUICE_PASSWORD" PGCONNECT_TIMEOUT=5 \
    "$POSTGRES_BIN/psql" -X -h "$SERVICES_HOST" -p "$POSTGRES_PORT" -U "$SLUICE_USER" \
    -d "$POSTGRES_DATABASE" "$@"
}

postgres_answers() { postgres_client -c 'SELECT 1' >/dev/null 2>&1; }
