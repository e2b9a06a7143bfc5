# shellcheck shell=bash
# The README's own command, and a closing line over all of its test binaries, which .ci/run repeats at its end.
retry cargo fetch --quiet --locked
# Property tests draw the same cases in every CI run; on a developer's machine they draw new ones.
export PROPTEST_RNG_SEED=20261126
without=
if [[ -z ${LOADGATE_SHARED-} ]]; then
  without='skipped: tests over samples of load tools, which are neither in ../shared nor where LOADGATE_SHARED says'
  echo "$without"
fi
log=$WORK/test.log
status=0
# All binaries, whichever fails: one run tells everything.
cargo test --workspace --no-fail-fast 2>&1 | tee "$log" || status=$?
awk '/^test result: / { passed += $4; failed += $6; skipped += $8 }
     END { printf "tests: %d passed, %d failed, %d skipped\n", passed, failed, skipped; exit passed == 0 }' \
  "$log" >"$WORK/test-results" || { echo "no test ran"; status=1; }
if [[ -n $without ]]; then
  echo "$without" >>"$WORK/test-results"
fi
exit "$status"
