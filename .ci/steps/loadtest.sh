# shellcheck shell=bash
# `loadgate run` with a real Locust against services on this machine.
[[ -f tests/loadtest/run.sh ]] || skip "tests/loadtest/run.sh is not there"
cargo build --quiet --locked --bin loadgate
bash tests/loadtest/run.sh --loadgate "$CARGO_TARGET_DIR/debug/loadgate" --work "$WORK/loadtest"
