# shellcheck shell=bash
# The pages we write, looked at by a real browser.
[[ -f tests/browser/run.sh ]] || skip "tests/browser/run.sh is not there"
bash tests/browser/run.sh
