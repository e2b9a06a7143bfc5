# What the steps share. Sourced, with the root of the repository as the working directory.
# shellcheck shell=bash

# Tools, images and logs of a CI run live below the target folder: nothing outside is needed, and `rm -r target` forgets it all.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
WORK=$CARGO_TARGET_DIR/ci
mkdir -p "$WORK"

# Real files of load tools that may not be in the repository: beside it, or where LOADGATE_SHARED says.
if [[ -z ${LOADGATE_SHARED-} && -d ../shared/samples ]]; then
  LOADGATE_SHARED=$(cd ../shared && pwd)
  export LOADGATE_SHARED
fi

# A build that is thrown away gains nothing from incremental state.
export CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=never NO_COLOR=1

# Networks have a bad moment now and then; twice in a row is a fault.
retry() {
  "$@" || { echo "retrying: $*" >&2; sleep 5; "$@"; }
}

skip() {
  echo "skipped: $*"
  exit 0
}

# need COMMAND PACKAGE...: installs Debian packages unless the command is there.
need() {
  local command=$1
  shift
  command -v "$command" >/dev/null && return
  echo "installing $*"
  retry apt-get update -q >"$WORK/apt.log" 2>&1 || { tail -n 20 "$WORK/apt.log"; return 1; }
  DEBIAN_FRONTEND=noninteractive retry apt-get install -y -q --no-install-recommends "$@" >"$WORK/apt.log" 2>&1 ||
    { tail -n 20 "$WORK/apt.log"; return 1; }
}

# Puts the Python tools of .ci/requirements.txt on the PATH.
python_tools() {
  local venv=$WORK/venv
  if ! cmp -s .ci/requirements.txt "$venv/installed.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    retry "$venv/bin/pip" install --quiet --disable-pip-version-check -r .ci/requirements.txt
    cp .ci/requirements.txt "$venv/installed.txt"
  fi
  export PATH=$venv/bin:$PATH
}
