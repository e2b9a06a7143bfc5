# shellcheck shell=bash
retry cargo fetch --quiet --locked
cargo clippy --quiet --workspace --all-targets --locked -- -D warnings
