#!/bin/sh
# The fixtures of each family become the first corpus of its target, gzipped ones inflated; `artifact` starts with all.
set -eu
cd "$(dirname "$0")"
for target in fuzz_targets/*.rs; do
    family=$(basename "$target" .rs)
    case $family in
        artifact) tools=$(ls ../fixtures) ;;
        locust) tools='locust seed/results' ;;
        k6) tools=k6 ;;
        jmeter) tools='jmeter azure-load-testing taurus junit' ;;
        logs) tools='gatling tsung vegeta' ;;
        text) tools='ab hey wrk wrk2 siege drill h2load loadtest molotov' ;;
        json) tools='artillery autocannon fortio ghz oha rlt goose nbomber' ;;
        own) tools='own simple bencher github-action-benchmark' ;;
        *) echo "no fixtures for $family" >&2 && exit 1 ;;
    esac
    mkdir -p "corpus/$family"
    for tool in $tools; do
        for file in "../fixtures/$tool"/*/* "../fixtures/$tool"/*; do
            if [ ! -f "$file" ] || [ "$(basename "$file")" = expected.json ]; then continue; fi
            name=$(echo "${file#../fixtures/}" | tr '/' '-')
            # Enough of a long file: the fuzzer copies it around.
            case $file in
                *.gz) gzip -dc "$file" | head -c 20000 > "corpus/$family/$name" ;;
                *) head -c 20000 "$file" > "corpus/$family/$name" ;;
            esac
        done
    done
done
