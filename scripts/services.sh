#!/usr/bin/env bash
#
# Installs, starts and stops the servers that the tests and the demo run
# against: MariaDB, MySQL, PostgreSQL, Kafka and an S3 server, all on 127.0.0.1.
# Those who have Docker can use docker-compose.yml instead.
set -euo pipefail

usage() {
  cat <<'EOF'
usage: scripts/services.sh COMMAND [NAME…]

  install [NAME…]   install what is missing (Debian packages, Maven Central, PyPI)
  up [NAME…]        start servers and wait until they answer
  down [NAME…]      stop servers
  restart NAME…     stop and start servers
  kill NAME…        kill -9, to see what happens
  status [NAME…]    say what runs; fails if something does not
  env               ports, users and passwords as KEY=VALUE lines
  client NAME ARG…  run a server's command line client as user sluice, e.g.
                    client mysql -e 'SELECT 1', client kafka topics --list

NAME is mariadb, mysql, postgres, kafka or s3; without one, all five.

Environment:
  SLUICE_SERVICES_INSTANCE      0 to 99; each has its own data, and ports higher
                                by 10 times that number (default 0)
  SLUICE_SERVICES_DIR           data, logs and process ids (default .services)
  SLUICE_SERVICES_SOFTWARE_DIR  what `install` unpacks (default
                                ~/.cache/sluice-services)
  SLUICE_SERVICES_USER          when root calls: the account that the servers
                                run as (default postgres)
  SLUICE_SERVICES_MARIADB_OPTIONS
                                options for MariaDB besides the usual ones, to
                                see what happens, e.g. --skip-log-bin
  SLUICE_SERVICES_DEBIAN_MIRROR where to get MySQL's packages (default: the
                                mirror that this machine uses)
Where root calls and the servers' account could not enter a default directory
(because a home is closed to others, for example), a directory under /var/tmp
holds the data and one under /var/cache the software; `env` says which.
EOF
}

# The servers' programs lie in /usr/sbin, which not every user has.
PATH=$PATH:/usr/sbin:/sbin
# What root makes must be readable for the servers.
umask 022

SCRIPTS_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/services" && pwd -P)
REPO_ROOT=$(cd "$SCRIPTS_DIR/../.." && pwd -P)

# shellcheck source=scripts/services/common.sh
. "$SCRIPTS_DIR/common.sh"
# shellcheck source=scripts/services/lifecycle.sh
. "$SCRIPTS_DIR/lifecycle.sh"
# shellcheck source=scripts/services/install.sh
. "$SCRIPTS_DIR/install.sh"
# shellcheck source=scripts/services/mariadb.sh
. "$SCRIPTS_DIR/mariadb.sh"
# shellcheck source=scripts/services/mysql.sh
. "$SCRIPTS_DIR/mysql.sh"
# shellcheck source=scripts/services/postgres.sh
. "$SCRIPTS_DIR/postgres.sh"
# shellcheck source=scripts/services/kafka.sh
. "$SCRIPTS_DIR/kafka.sh"
# shellcheck source=scripts/services/s3.sh
. "$SCRIPTS_DIR/s3.sh"

check_names() {
  local name
  for name in "$@"; do
    [[ " ${SERVICES[*]} " == *" $name "* ]] ||
      die "there is no service '$name'; the services are: ${SERVICES[*]}."
  done
}

main() {
  local command=${1:-help} name
  shift || true
  set_instance
  set_server_user
  set_directories

  case $command in
    install | up | down | status)
      check_names "$@"
      if (($# == 0)); then set -- "${SERVICES[@]}"; fi
      "${command}_all" "$@"
      ;;
    restart)
      (($# > 0)) || die "say which server to restart: ${SERVICES[*]}."
      check_names "$@"
      down_all "$@"
      up_all "$@"
      ;;
    kill)
      (($# > 0)) || die "say which server to kill: ${SERVICES[*]}."
      check_names "$@"
      make_instance_dir
      take_lock "$INSTANCE_DIR/.lock"
      for name in "$@"; do kill_one "$name"; done
      ;;
    env) print_env ;;
    client)
      (($# > 0)) || die "say which server to talk to: ${SERVICES[*]}."
      name=$1
      shift
      check_names "$name"
      "${name}_client" "$@"
      ;;
    help | -h | --help) usage ;;
    *)
      usage >&2
      die "there is no command '$command'."
      ;;
  esac
}

main "$@"
