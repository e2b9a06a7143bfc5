# shellcheck shell=bash
cargo fmt --all --check
