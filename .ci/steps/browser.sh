# shellcheck shell=bash
# The pages we write, looked at by a real browser.
[[ -f tests/browser/run.sh ]] || skip "tests/browser/run.sh is not there"
need chromium chromium fonts-dejavu-core
cargo build --quiet --locked --bin loadgate
LOADGATE=$CARGO_TARGET_DIR/debug/loadgate retry bash tests/browser/run.sh
