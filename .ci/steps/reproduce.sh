# shellcheck shell=bash
# Two builds of the same source are the same program. Our own crate is compiled and everything linked twice; what it depends on
# is compiled once, as for every other step.
built() {
  cargo build --quiet --locked --release --bin loadgate
  sha256sum <"$CARGO_TARGET_DIR/release/loadgate"
}
first=$(built)
cargo clean --quiet --locked --release --package loadgate
second=$(built)
[[ $first == "$second" ]] || { echo "two builds of the same source differ"; exit 1; }
echo "built twice: ${first%% *}"
