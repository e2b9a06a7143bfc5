# shellcheck shell=bash
[[ -f tests/speed/run.sh ]] || skip "tests/speed/run.sh is not there"
bash tests/speed/run.sh
