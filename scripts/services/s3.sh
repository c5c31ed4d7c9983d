# shellcheck shell=bash
#
# S3: moto, an S3 API server, from PyPI. It holds everything in memory, so that
# buckets are gone when it stops; it takes any credentials, and obeys
# conditional writes (If-None-Match), though two at the same instant may both
# get through.

S3_MOTO_VERSION=5.2.5

s3_home() { say "$SOFTWARE_DIR/moto-$S3_MOTO_VERSION"; }

s3_installed() { [[ -e $(s3_home)/complete ]]; }

# The distribution's own, because the servers' account may not be able to get to
# one in somebody's home.
s3_python() { say /usr/bin/python3; }

s3_packages() {
  "$(s3_python)" -c 'import venv, ensurepip' 2>/dev/null || say python3-venv
  have_programs curl || say curl
}

# The packages go beside each other into a directory and not into a virtual
# environment, which could not be moved to its name when it is complete.
s3_install() {
  local home work
  home=$(s3_home)
  work=$home.new
  rm -rf "$work" "$home"
  mkdir -p "$work"
  "$(s3_python)" -m venv "$work/pip"
  if ! "$work/pip/bin/pip" install --quiet --disable-pip-version-check \
    --target "$work/lib" "moto[s3,server]==$S3_MOTO_VERSION" >"$work/pip.log" 2>&1; then
    cat "$work/pip.log" >&2
    die "s3: pip could not fetch moto (log: $work/pip.log)."
  fi
  rm -rf "$work/pip"
  chmod -R a+rX "$work"
  touch "$work/complete"
  mv "$work" "$home"
}

s3_ports() { say "$S3_PORT"; }

s3_configure() { :; }

# Nothing is kept.
s3_init() { :; }

# sluice_data is read by nobody: service_pid knows the process by it.
s3_start() {
  spawn "$1" env PYTHONPATH="$(s3_home)/lib" PYTHONDONTWRITEBYTECODE=1 "$(s3_python)" -X sluice_data="$1/data" \
    -m moto.server -H "$SERVICES_HOST" -p "$S3_PORT"
}

s3_stop_signal() { say TERM; }

# For example: services.sh client s3 /bucket?list-type=2
s3_client() {
  local path=${1:-/}
  shift || true
  curl --silent --show-error --fail --max-time 5 \
    --aws-sigv4 aws:amz:us-east-1:s3 --user "$SLUICE_USER:$SLUICE_PASSWORD" \
    "$@" "http://$SERVICES_HOST:$S3_PORT$path"
}

s3_answers() { s3_client / >/dev/null 2>&1; }
