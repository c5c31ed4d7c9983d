# shellcheck shell=bash
#
# What every server has in common: which ports and passwords are used, where
# things live, and how programs are run.
# This file is the only place where the scripts name ports and passwords; the
# *.sql files and docker-compose.yml have to repeat them, so change them there too.

# shellcheck disable=SC2034 # used in services.sh
SERVICES=(mariadb mysql postgres kafka s3)
SERVICES_HOST=127.0.0.1

ROOT_PASSWORD=root-secret
SLUICE_USER=sluice
SLUICE_PASSWORD=sluice-secret
# shellcheck disable=SC2034 # used in postgres.sh
POSTGRES_DATABASE=warehouse

say() { printf '%s\n' "$*"; }
warn() { printf 'services.sh: %s\n' "$*" >&2; }
die() {
  warn "$*"
  exit 1
}

have_programs() {
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null || return 1
  done
}

# --- which instance, which ports --------------------------------------------

# Ports of instance n are these + 10 * n. The last digits differ, so that no
# port of one instance can be a port of another.
set_instance() {
  INSTANCE=${SLUICE_SERVICES_INSTANCE:-0}
  [[ $INSTANCE =~ ^(0|[1-9][0-9]?)$ ]] ||
    die "SLUICE_SERVICES_INSTANCE must be a number from 0 to 99, not '$INSTANCE'."
  local shift=$((10 * INSTANCE))
  MARIADB_PORT=$((23306 + shift))
  MYSQL_PORT=$((23307 + shift))
  POSTGRES_PORT=$((25432 + shift))
  KAFKA_PORT=$((29092 + shift))
  S3_PORT=$((24500 + shift))
  # shellcheck disable=SC2034 # used in kafka.sh
  KAFKA_CONTROLLER_PORT=$((29193 + shift))
}

service_port() {
  case $1 in
    mariadb) say "$MARIADB_PORT" ;;
    mysql) say "$MYSQL_PORT" ;;
    postgres) say "$POSTGRES_PORT" ;;
    kafka) say "$KAFKA_PORT" ;;
    s3) say "$S3_PORT" ;;
  esac
}

# --- where things live ------------------------------------------------------

# PostgreSQL and MySQL refuse to run as root. When root runs this script, every
# server runs as the account that the postgresql package makes.
set_server_user() {
  SERVER_USER=
  if ((EUID == 0)); then
    SERVER_USER=${SLUICE_SERVICES_USER:-postgres}
  fi
}

# Whether an account that is neither owner nor group of them may pass through a
# directory and all those above it.
open_to_all() {
  local path
  path=$(realpath -m "$1")
  while [[ $path != / ]]; do
    if [[ -e $path ]]; then
      (($(stat -c '0%a' "$path") & 1)) || return 1
    fi
    path=$(dirname "$path")
  done
}

# Where root may not use $1 because the servers' account could not get there,
# $2 takes its place.
reachable_or() {
  if [[ -n $SERVER_USER ]] && ! open_to_all "$1"; then say "$2"; else realpath -m "$1"; fi
}

set_directories() {
  # Where HOME is not set, bash takes ~ from the user database.
  local home=~ hash
  local home_cache=${XDG_CACHE_HOME:-$home/.cache}
  hash=$(printf '%s' "$REPO_ROOT" | sha256sum | cut -c1-12)

  if [[ -n ${SLUICE_SERVICES_DIR:-} ]]; then
    SERVICES_DIR=$(reachable_or "$SLUICE_SERVICES_DIR" '')
    [[ -n $SERVICES_DIR ]] || die "The account '$SERVER_USER' cannot get to SLUICE_SERVICES_DIR" \
      "($SLUICE_SERVICES_DIR). Name a directory whose parents everybody may enter."
  else
    SERVICES_DIR=$(reachable_or "$REPO_ROOT/.services" "/var/tmp/sluice-services-$hash")
  fi
  INSTANCE_DIR=$SERVICES_DIR/$INSTANCE

  if [[ -n ${SLUICE_SERVICES_SOFTWARE_DIR:-} ]]; then
    SOFTWARE_DIR=$(reachable_or "$SLUICE_SERVICES_SOFTWARE_DIR" '')
    [[ -n $SOFTWARE_DIR ]] || die "The account '$SERVER_USER' cannot get to SLUICE_SERVICES_SOFTWARE_DIR" \
      "($SLUICE_SERVICES_SOFTWARE_DIR). Name a directory whose parents everybody may enter."
  else
    SOFTWARE_DIR=$(reachable_or "$home_cache/sluice-services" /var/cache/sluice-services)
  fi
}

service_dir() { say "$INSTANCE_DIR/$1"; }

# Anybody can write to /var/tmp: a directory that someone else put there under
# our name must not be trusted.
make_instance_dir() {
  mkdir -p "$INSTANCE_DIR"
  local dir
  for dir in "$SERVICES_DIR" "$INSTANCE_DIR"; do
    [[ -O $dir && ! -L $dir ]] || die "$dir belongs to someone else." \
      "Remove it, or set SLUICE_SERVICES_DIR to a directory of your own."
  done
  # Keeps git from ever looking into it, wherever SLUICE_SERVICES_DIR puts it.
  [[ -e $SERVICES_DIR/.gitignore ]] || printf '*\n' >"$SERVICES_DIR/.gitignore"
}

# --- one at a time ----------------------------------------------------------

# Holds a lock until this script ends (it takes one lock only). The descriptor
# is not handed on to the servers (see spawn): they would hold the lock for as
# long as they live.
take_lock() {
  local file=$1
  [[ -z ${LOCK_FD:-} ]] || return 0
  exec {LOCK_FD}>"$file"
  flock -n "$LOCK_FD" && return
  warn "another services.sh is at work here; waiting for it to finish."
  flock -w 600 "$LOCK_FD" || die "gave up waiting for the lock $file."
}

# --- running things ---------------------------------------------------------

# Puts into SERVER_COMMAND what runs a command as the servers' account (or as
# the caller, unless that's root) and with an environment that does not depend
# on who calls. Each server has temporary files of its own: MariaDB and MySQL
# delete what looks left over in theirs when they start, if it is another
# server's or not.
#
# What they write is not flushed to the disk: a killed server loses nothing by
# that, because it is in the kernel's hands, and a slow disk does not hold up
# tests for minutes.
set_server_command() {
  local dir=$1 drop=() preload=() library
  for library in /usr/lib/*/libeatmydata.so; do
    if [[ -e $library ]]; then preload=(LD_PRELOAD="$library"); fi
  done
  shift
  if [[ -n $SERVER_USER ]]; then
    drop=(setpriv --reuid "$SERVER_USER" --regid "$(id -g "$SERVER_USER")" --init-groups --)
  fi
  SERVER_COMMAND=(env -i PATH="$PATH" HOME=/nonexistent TMPDIR="$dir/tmp" LANG=C.UTF-8 TZ=UTC
    "${preload[@]}" "${drop[@]}" "$@")
}

as_server() {
  set_server_command "$@"
  # The caller's directory may be closed to the servers' account.
  (cd / && exec "${SERVER_COMMAND[@]}")
}

make_server_dir() {
  rm -rf "$1"
  mkdir -m 0700 "$1"
  if [[ -n $SERVER_USER ]]; then chown "$SERVER_USER:" "$1"; fi
}

# Starts a server that outlives this script and the shell that called it: in
# its own session, with none of the caller's descriptors. Sets SPAWNED_PID.
spawn() {
  local dir=$1
  set_server_command "$@"
  printf '%s services.sh: starting\n' "$(date -u +'%F %T')" >>"$dir/log"
  (
    cd /
    exec </dev/null >>"$dir/log" 2>&1
    local fd
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      if ((fd > 2 && fd != 255)); then eval "exec $fd>&-"; fi
    done
    # 500 connections with some tables open each need more than the usual 1024.
    ulimit -Sn 65536 2>/dev/null || true
    trap '' HUP
    # From here to the server itself each program replaces the one before it, so
    # that the process id stays the one noted down.
    exec setsid "${SERVER_COMMAND[@]}"
  ) &
  SPAWNED_PID=$!
  printf '%s\n' "$SPAWNED_PID" >"$dir/pid"
}

# Prints the process id of a server that we started and that is still alive.
# Process ids are used again, so the process must also have our data directory
# on its command line (every server is started with it there).
service_pid() {
  local dir pid
  dir=$(service_dir "$1")
  [[ -r $dir/pid ]] || return 1
  read -r pid <"$dir/pid" || return 1
  [[ $pid =~ ^[1-9][0-9]*$ ]] || return 1
  tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -F -- "$dir/data" >/dev/null || return 1
  say "$pid"
}

# A process that has ended stays in the process table (as a Z) until its parent
# collects it, in some containers for good.
is_alive() { grep -q '^State:[[:space:]]*[^ZX]' "/proc/$1/status" 2>/dev/null; }

# Prints the processes whose working directory is a server's data directory:
# the server (unless it's Kafka) and, for PostgreSQL, its child processes.
processes_in() {
  find /proc/[0-9]*/cwd -maxdepth 0 -printf '%l\t%p\n' 2>/dev/null |
    awk -F '\t' -v dir="$1" '$1 == dir { split($2, part, "/"); print part[3] }' || true
}

port_in_use() { (exec 3<>"/dev/tcp/$SERVICES_HOST/$1") 2>/dev/null; }

service_address() { say "$SERVICES_HOST:$(service_port "$1")"; }

# How to call this script again about this instance, for messages.
this_command() {
  local prefix=
  ((INSTANCE == 0)) || prefix="SLUICE_SERVICES_INSTANCE=$INSTANCE "
  say "${prefix}scripts/services.sh $*"
}

# Shows the end of a log, but nothing from before the last start.
show_log() {
  warn "the last lines of $1:"
  awk '/ services.sh: starting$/ { n = 0 } { line[n++] = $0 }
    END { for (i = n > 25 ? n - 25 : 0; i < n; i++) print "    " line[i] }' "$1" >&2
}
