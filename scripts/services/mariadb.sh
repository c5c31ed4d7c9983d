# shellcheck shell=bash
#
# MariaDB, from the distribution's packages. The -core packages hold the server
# without the part that starts it at boot.

mariadb_installed() { have_programs mariadbd mariadb-install-db mariadb mariadb-binlog mariadb-dump; }

mariadb_packages() { say mariadb-server-core mariadb-client; }

mariadb_install() { :; }

mariadb_ports() { say "$MARIADB_PORT"; }

mariadb_configure() {
  install -m 0644 "$SCRIPTS_DIR/mariadb.cnf" "$1/my.cnf"
  install -m 0644 "$SCRIPTS_DIR/mariadb-users.sql" "$1/users.sql"
}

mariadb_init() {
  as_server "$1" mariadb-install-db --no-defaults --datadir="$2" \
    --auth-root-authentication-method=normal --skip-test-db --skip-log-bin
}

# The users are made anew at every start (before the server lets anybody in),
# so that a test that broke one does not spoil the next. The socket's name is
# relative to the data directory: a whole path may be too long for a socket.
mariadb_start() {
  local options
  read -ra options <<<"${SLUICE_SERVICES_MARIADB_OPTIONS:-}"
  spawn "$1" "$(command -v mariadbd)" --defaults-file="$1/my.cnf" --datadir="$1/data" \
    --bind-address="$SERVICES_HOST" --port="$MARIADB_PORT" --socket=mariadb.sock \
    --server-id=$((1 + 10 * INSTANCE)) --init-file="$1/users.sql" "${options[@]}"
}

mariadb_stop_signal() { say TERM; }

mariadb_client() {
  MYSQL_PWD=$SLUICE_PASSWORD mariadb --no-defaults -h "$SERVICES_HOST" -P "$MARIADB_PORT" \
    --connect-timeout=5 -u "$SLUICE_USER" "$@"
}

mariadb_answers() { mariadb_client -e 'SELECT 1' >/dev/null 2>&1; }
