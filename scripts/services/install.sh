# shellcheck shell=bash
#
# `services.sh install`: the distribution's packages first, then what goes into
# the software directory.

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "this needs root, and there is no sudo: $*"
  fi
}

package_installed() {
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# apt has an option to wait for the lock on packages, but none for package lists.
update_package_lists() {
  local tries=0
  until as_root apt-get -qq update; do
    tries=$((tries + 1))
    ((tries < 30)) || die "apt-get update fails; see above."
    warn "apt-get update did not work; trying again in 5 s."
    sleep 5
  done
}

# Debian asks this file before it starts a service that was just installed. If
# there is one already, it is left to say what it says.
POLICY_FILE=/usr/sbin/policy-rc.d

forbid_service_start() {
  [[ ! -e $POLICY_FILE ]] || return 0
  trap allow_service_start EXIT
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY_FILE" >/dev/null
  as_root chmod 0755 "$POLICY_FILE"
}

allow_service_start() {
  as_root rm -f "$POLICY_FILE"
  trap - EXIT
}

# Only for packages that this script just installed: a server that was here
# before is somebody's.
disable_own_service() {
  if [[ $1 == postgresql-* ]]; then
    if [[ -d /run/systemd/system ]]; then
      as_root systemctl disable --now postgresql >/dev/null 2>&1 || true
    elif [[ -e /var/lib/postgresql/$POSTGRES_VERSION/main/postmaster.pid ]]; then
      as_root pg_ctlcluster "$POSTGRES_VERSION" main stop || true
    fi
  fi
}

install_packages() {
  local package missing=()
  for package in "$@"; do
    package_installed "$package" || missing+=("$package")
  done
  ((${#missing[@]} > 0)) || return 0
  command -v apt-get >/dev/null || die "this installs Debian packages, and there is no apt-get here." \
    "Use docker-compose.yml instead: docker compose up -d"
  say "installing packages: ${missing[*]}"
  update_package_lists
  forbid_service_start
  local log=$SOFTWARE_DIR/apt.log
  if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=600 \
    install --no-install-recommends "${missing[@]}" >"$log" 2>&1 </dev/null; then
    show_log "$log"
    die "apt-get could not install them (log: $log)."
  fi
  [[ -z $(trap -p EXIT) ]] || allow_service_start
  for package in "${missing[@]}"; do
    disable_own_service "$package"
  done
}

install_all() {
  local name packages=()
  mkdir -p "$SOFTWARE_DIR"
  take_lock "$SOFTWARE_DIR/.lock"
  for name in "$@"; do
    # shellcheck disable=SC2207 # package names hold no blanks
    "${name}_installed" || packages+=($("${name}_packages"))
  done
  if [[ -n $SERVER_USER ]] && ! id "$SERVER_USER" >/dev/null 2>&1; then
    # shellcheck disable=SC2207
    packages+=($(postgres_packages))
  fi
  install_packages libeatmydata1 "${packages[@]}"
  for name in "$@"; do
    if "${name}_installed"; then
      say "$name: installed"
      continue
    fi
    say "$name: installing into $SOFTWARE_DIR"
    "${name}_install"
    "${name}_installed" || die "$name: something is still missing after the installation."
    say "$name: installed"
  done
}
