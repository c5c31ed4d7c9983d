# shellcheck shell=bash
#
# The commands up, down, kill, status and env. What is particular to a server
# is in its own file, in functions named after it: NAME_installed,
# NAME_packages, NAME_install, NAME_ports, NAME_configure, NAME_init (fills a
# new data directory), NAME_start, NAME_stop_signal, NAME_client and
# NAME_answers.

# How long a server may take before `up` gives up, and before `down` stops
# asking politely. A process that waits for a slow disk ends only when the disk
# has answered, even on kill -9.
START_SECONDS=60
STOP_SECONDS=30
KILL_SECONDS=60

# --- up ---------------------------------------------------------------------

# The data directory gets its name when it is complete, so that an interrupted
# first start is begun again and not taken for a finished one.
prepare_data() {
  local name=$1 dir=$2
  [[ ! -d $dir/data ]] || return 0
  make_server_dir "$dir/data.new"
  # In the background because bash ignores `set -e` in a command whose failure
  # is asked about, as it would be here otherwise.
  "${name}_init" "$dir" "$dir/data.new" >"$dir/init.log" 2>&1 &
  if ! wait $!; then
    show_log "$dir/init.log"
    die "$name: could not make its data directory (log: $dir/init.log)."
  fi
  mv "$dir/data.new" "$dir/data"
}

wait_until_answers() {
  local name=$1 pid=$2 dir deadline
  dir=$(service_dir "$name")
  deadline=$((SECONDS + START_SECONDS))
  until "${name}_answers"; do
    if ! is_alive "$pid"; then
      show_log "$dir/log"
      die "$name: it stopped while starting up."
    fi
    if ((SECONDS >= deadline)); then
      show_log "$dir/log"
      die "$name: no answer on $(service_address "$name") after $START_SECONDS s, though process $pid" \
        "is alive. Look again with '$(this_command status)', or stop it with '$(this_command down "$name")'."
    fi
    sleep 0.2
  done
}

up_one() {
  local name=$1 dir pid port
  dir=$(service_dir "$name")
  if pid=$(service_pid "$name"); then
    wait_until_answers "$name" "$pid"
    say "$name: already running at $(service_address "$name") (pid $pid)"
    return
  fi
  "${name}_installed" || die "$name is not installed. Run: scripts/services.sh install"
  # A server that was killed in some other way may have left child processes.
  wait_until_unused "$dir/data" 10 || die "$name: its data directory is in use by a process that is not" \
    "noted in $dir/pid: $(processes_in "$dir/data" | xargs). Stop that process first."
  for port in $("${name}_ports"); do
    ! port_in_use "$port" || die "$name: port $port is taken by a process that this script did not start." \
      "Stop that process, or set SLUICE_SERVICES_INSTANCE to another number."
  done

  mkdir -p "$dir"
  make_server_dir "$dir/tmp"
  "${name}_configure" "$dir"
  prepare_data "$name" "$dir"
  "${name}_start" "$dir"
  wait_until_answers "$name" "$SPAWNED_PID"
  say "$name: up at $(service_address "$name") (pid $SPAWNED_PID)"
}

# Starts the named servers side by side and fails if one of them fails.
up_all() {
  local name pids=() failed=0 pid
  if [[ -n $SERVER_USER ]] && ! id "$SERVER_USER" >/dev/null 2>&1; then
    die "there is no account '$SERVER_USER' to run the servers as. Run: scripts/services.sh install"
  fi
  make_instance_dir
  take_lock "$INSTANCE_DIR/.lock"
  for name in "$@"; do
    (up_one "$name") &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do
    wait "$pid" || failed=1
  done
  return "$failed"
}

# --- down, kill -------------------------------------------------------------

wait_until_gone() {
  local pid=$1 deadline=$((SECONDS + $2))
  while is_alive "$pid"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

wait_until_unused() {
  local deadline=$((SECONDS + $2))
  while [[ -n $(processes_in "$1") ]]; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

# kill -9, and the same for its child processes: PostgreSQL's would otherwise
# hold on to its shared memory and keep it from starting again at once.
kill_hard() {
  local name=$1 pid=$2 data processes
  data=$(service_dir "$name")/data
  processes=$(processes_in "$data")
  # shellcheck disable=SC2086 # a list of process ids
  kill -KILL "$pid" $processes 2>/dev/null || true
  if ! wait_until_gone "$pid" "$KILL_SECONDS" || ! wait_until_unused "$data" "$KILL_SECONDS"; then
    die "$name: process $pid does not end even on kill -9."
  fi
}

down_one() {
  local name=$1 dir pid
  dir=$(service_dir "$name")
  if ! pid=$(service_pid "$name"); then
    rm -f "$dir/pid"
    say "$name: not running"
    return
  fi
  kill -s "$("${name}_stop_signal")" "$pid"
  if wait_until_gone "$pid" "$STOP_SECONDS"; then
    say "$name: stopped"
  else
    kill_hard "$name" "$pid"
    say "$name: stopped with kill -9, because it had not ended after $STOP_SECONDS s"
  fi
  rm -f "$dir/pid"
}

down_all() {
  local name pids=() failed=0 pid
  if [[ ! -d $INSTANCE_DIR ]]; then
    for name in "$@"; do say "$name: not running"; done
    return
  fi
  make_instance_dir
  take_lock "$INSTANCE_DIR/.lock"
  for name in "$@"; do
    (down_one "$name") &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do
    wait "$pid" || failed=1
  done
  return "$failed"
}

kill_one() {
  local name=$1 pid
  pid=$(service_pid "$name") || die "$name is not running. Start it with: $(this_command up "$name")"
  kill_hard "$name" "$pid"
  rm -f "$(service_dir "$name")/pid"
  say "$name: killed (pid $pid)"
}

# --- status, env ------------------------------------------------------------

status_all() {
  local name pid missing=()
  for name in "$@"; do
    if ! pid=$(service_pid "$name"); then
      say "$name: down"
      missing+=("$name")
    elif "${name}_answers"; then
      say "$name: up at $(service_address "$name") (pid $pid)"
    else
      say "$name: running (pid $pid), but does not answer at $(service_address "$name");" \
        "its log is $(service_dir "$name")/log"
      missing+=("$name")
    fi
  done
  ((${#missing[@]} > 0)) || return 0
  say "To start what is missing: $(this_command up "${missing[@]}")"
  return 1
}

print_env() {
  cat <<EOF
SERVICES_HOST=$SERVICES_HOST
SERVICES_INSTANCE=$INSTANCE
SERVICES_INSTANCE_DIR=$INSTANCE_DIR
SERVICES_SOFTWARE_DIR=$SOFTWARE_DIR
MARIADB_PORT=$MARIADB_PORT
MARIADB_ROOT_USER=root
MARIADB_ROOT_PASSWORD=$ROOT_PASSWORD
MARIADB_USER=$SLUICE_USER
MARIADB_PASSWORD=$SLUICE_PASSWORD
MYSQL_PORT=$MYSQL_PORT
MYSQL_ROOT_USER=root
MYSQL_ROOT_PASSWORD=$ROOT_PASSWORD
MYSQL_USER=$SLUICE_USER
MYSQL_PASSWORD=$SLUICE_PASSWORD
POSTGRES_PORT=$POSTGRES_PORT
POSTGRES_ROOT_USER=postgres
POSTGRES_ROOT_PASSWORD=$ROOT_PASSWORD
POSTGRES_USER=$SLUICE_USER
POSTGRES_PASSWORD=$SLUICE_PASSWORD
POSTGRES_DATABASE=$POSTGRES_DATABASE
KAFKA_PORT=$KAFKA_PORT
KAFKA_BOOTSTRAP_SERVERS=$SERVICES_HOST:$KAFKA_PORT
S3_PORT=$S3_PORT
S3_ENDPOINT=http://$SERVICES_HOST:$S3_PORT
S3_ACCESS_KEY=$SLUICE_USER
S3_SECRET_KEY=$SLUICE_PASSWORD
EOF
}
