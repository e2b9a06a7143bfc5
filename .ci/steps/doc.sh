# shellcheck shell=bash
RUSTDOCFLAGS='-D warnings' cargo doc --quiet --no-deps --locked
