# shellcheck shell=bash
# `loadgate run` with a real Locust against a service on this machine.
[[ -f tests/loadtest/run.sh ]] || skip "tests/loadtest/run.sh is not there"
bash tests/loadtest/run.sh
