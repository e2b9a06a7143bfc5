#!/bin/sh
# Opens the run report and the trend site in a real browser. Installs what it needs; LOADGATE names a binary to use.
set -eu
cd "$(dirname "$0")"
if ! command -v chromium >/dev/null; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
fi
if [ -z "${LOADGATE:-}" ]; then
    cargo build --quiet --manifest-path ../../Cargo.toml
    LOADGATE="$(cd ../..; pwd)/${CARGO_TARGET_DIR:-target}/debug/loadgate"
fi
export LOADGATE
[ -d node_modules ] || npm ci --no-audit --no-fund --silent
exec node --test --test-reporter=spec pages.test.mjs
