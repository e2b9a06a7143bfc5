# shellcheck shell=bash
# The first command of the README, as a new user types it, and then how fast that program is beside `wc -l`.
retry cargo fetch --quiet --locked
command=$(grep -m1 '^cargo run --release -- ' README.md)
read -ra words <<<"$command"
status=0
"${words[@]:0:2}" --quiet --locked "${words[@]:2}" --report-dir "$WORK/readme" || status=$?
[[ $status == 1 ]] || { echo "the README's command: expected exit 1, found $status"; exit 1; }
python3 benches/peers.py "$CARGO_TARGET_DIR/release/loadgate" --quick
python3 benches/history.py "$CARGO_TARGET_DIR/release/loadgate"
