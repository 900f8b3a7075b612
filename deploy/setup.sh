# Sourced by deploy/try and tests/run: installs what is missing on a Debian-like machine, after saying what.
# Its one idea: look for the thing itself (a command, a header), not for a package, so that a machine that has it by
# another way is left alone. It changes nothing but packages.

say() { printf '%s\n' "$*" >&2; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else say "bongsu: cannot run '$*' without root."; say "  help: run it as root, then start again."; exit 2
  fi
}

# need COMMAND-OR-HEADER PACKAGE: remembers the package where the thing is missing.
missing=()
need() {
  case $1 in
    /*) [ -e "$1" ] || [ -n "$(find /usr/include /usr/local/include -path "*$1" -print -quit 2>/dev/null)" ] || missing+=("$2") ;;
    *) command -v "$1" >/dev/null || missing+=("$2") ;;
  esac
}

install_missing() {
  [ ${#missing[@]} = 0 ] && return 0
  say "bongsu: will install: ${missing[*]}"
  if ! command -v apt-get >/dev/null; then
    say "bongsu: this is no Debian-like machine."
    say "  help: install what the packages above hold (C compiler, make, pkg-config, OpenSSL and zlib headers), then start again."
    exit 2
  fi
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# A Rust tool chain: the one on the PATH, also where HOME is not the one it was installed under.
need_rust() {
  if command -v cargo >/dev/null && ! cargo --version >/dev/null 2>&1; then
    local bin; bin=$(dirname "$(readlink -f "$(command -v rustup || command -v cargo)")")
    [ -d "$bin/../../.rustup" ] && export RUSTUP_HOME="${RUSTUP_HOME:-$(cd "$bin/../../.rustup" && pwd)}"
    cargo --version >/dev/null 2>&1 || export RUSTUP_TOOLCHAIN="${RUSTUP_TOOLCHAIN:-stable}"
  fi
  if ! cargo --version >/dev/null 2>&1; then
    say "bongsu: no working Rust tool chain (cargo) found."
    say "  help: install Rust 1.95 or newer with rustup (https://rustup.rs), open a new shell, then start again."
    exit 2
  fi
}

setup_build() {
  need cc gcc
  need make make
  need pkg-config pkg-config
  need /openssl/ssl.h libssl-dev
  need /zlib.h zlib1g-dev
  install_missing
  need_rust
  export CARGO_BUILD_JOBS="${CARGO_BUILD_JOBS:-$(nproc)}"
}
