# shellcheck shell=bash
#
# MySQL. Debian has it in its unstable distribution only, so its packages and
# all the libraries they need (the C library too) are unpacked into a directory
# of their own and run with the dynamic loader found there. Nothing of it gets
# into the system, and the system's package sources stay as they are.

MYSQL_SERIES=9.7

mysql_home() { say "$SOFTWARE_DIR/mysql-$MYSQL_SERIES"; }

mysql_installed() { [[ -e $(mysql_home)/complete ]]; }

# What the installation itself uses.
mysql_packages() { say debian-archive-keyring; }

mysql_install() {
  mysql_installed && return
  local home work
  home=$(mysql_home)
  work=$home.new
  rm -rf "$work" "$home"
  mkdir -p "$work/root"
  mysql_download "$work/apt"
  local package
  for package in "$work"/apt/cache/archives/*.deb; do
    dpkg-deb -x "$package" "$work/root"
  done
  rm -rf "$work/apt"
  mysql_write_launchers "$work"
  mysql_check_series "$("$work/bin/mysqld" --version)"
  touch "$work/complete"
  mv "$work" "$home"
}

# The Debian mirror that this machine is set up to use.
debian_mirror() {
  if [[ -n ${SLUICE_SERVICES_DEBIAN_MIRROR:-} ]]; then
    say "$SLUICE_SERVICES_DEBIAN_MIRROR"
    return
  fi
  local mirror
  # shellcheck disable=SC2016 # apt's own variables
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' \
    'Component: main' | grep -v security | head -n 1 || true)
  [[ -n $mirror ]] || die "found no Debian mirror among this machine's package sources." \
    "Set SLUICE_SERVICES_DEBIAN_MIRROR to the address of one."
  say "$mirror"
}

# Lets apt work out and fetch the packages, with settings, package lists and a
# (nearly empty) list of installed packages of its own under $1.
mysql_download() {
  local apt=$1
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
  printf 'deb [signed-by=%s target=Packages lang=none] %s sid main\n' \
    /usr/share/keyrings/debian-archive-keyring.gpg "$(debian_mirror)" >"$apt/sources.list"
  # Perl is wanted by helper scripts that nobody runs here.
  cat >"$apt/status" <<'EOF'
Package: perl
Status: install ok installed
Version: 99
Architecture: all
Multi-Arch: allowed
Description: stand-in

EOF
  # What the system does after its own updates is none of our business.
  cat >"$apt/apt.conf" <<EOF
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
Dir::State "$apt";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Default-Release "";
APT::Sandbox::User "";
Acquire::Retries "3";
EOF
  apt-get -qq -c "$apt/apt.conf" update
  apt-get -qq -c "$apt/apt.conf" install -y --download-only --no-install-recommends \
    mysql-server-core mysql-client-core
}

# bin/NAME runs NAME with the loader and the libraries that came with it. The
# program must not need to know where all this lies, hence the relative paths.
mysql_write_launchers() {
  local work=$1 loader libraries program name
  loader=$(cd "$work" && find root -name 'ld-linux*.so.*' -path '*lib*' | sort | head -n 1)
  libraries=$(cd "$work" && dirname "$(find root -name libc.so.6 | head -n 1)")
  mkdir -p "$work/bin"
  for program in usr/sbin/mysqld usr/bin/mysql usr/bin/mysqladmin usr/bin/mysqlbinlog usr/bin/mysqldump; do
    [[ -x $work/root/$program ]] || die "the MySQL packages hold no $program."
    name=${program##*/}
    cat >"$work/bin/$name" <<EOF
#!/bin/sh
home=\$(dirname "\$(dirname "\$(readlink -f "\$0")")")
exec "\$home/$loader" --library-path "\$home/$libraries" "\$home/root/$program" "\$@"
EOF
    chmod 0755 "$work/bin/$name"
  done
}

mysql_check_series() {
  [[ $1 == *" $MYSQL_SERIES."* ]] ||
    warn "Debian now has another MySQL than $MYSQL_SERIES: $1. It is used as it is."
}

mysql_ports() { say "$MYSQL_PORT"; }

mysql_configure() {
  install -m 0644 "$SCRIPTS_DIR/mysql.cnf" "$1/my.cnf"
  install -m 0644 "$SCRIPTS_DIR/mysql-users.sql" "$1/users.sql"
}

# Debian's build expects a directory for file exports that is not there: NULL
# turns these exports off.
mysql_init() {
  as_server "$1" "$(mysql_home)/bin/mysqld" --no-defaults --initialize-insecure --disable-log-bin \
    --basedir="$(mysql_home)/root/usr" --datadir="$2" --secure-file-priv=NULL
}

# About users and the socket: see mariadb.sh. A killed server leaves the socket's
# lock file behind, and the next one believes it if the process id in it is
# taken again. That nobody uses the data directory was checked before.
mysql_start() {
  rm -f "$1/data/mysql.sock.lock"
  spawn "$1" "$(mysql_home)/bin/mysqld" --defaults-file="$1/my.cnf" \
    --basedir="$(mysql_home)/root/usr" --datadir="$1/data" --secure-file-priv=NULL \
    --bind-address="$SERVICES_HOST" --port="$MYSQL_PORT" --socket=mysql.sock \
    --server-id=$((2 + 10 * INSTANCE)) --init-file="$1/users.sql"
}

mysql_stop_signal() { say TERM; }

mysql_client() {
  MYSQL_PWD=$SLUICE_PASSWORD "$(mysql_home)/bin/mysql" --no-defaults -h "$SERVICES_HOST" -P "$MYSQL_PORT" \
    --connect-timeout=5 -u "$SLUICE_USER" "$@"
}

mysql_answers() { mysql_client -e 'SELECT 1' >/dev/null 2>&1; }
