#!/bin/sh
# The fixtures of each family become the first corpus of its target, gzipped ones inflated; `detect` starts with all.
set -eu
cd "$(dirname "$0")"
for target in fuzz_targets/*.rs; do
    family=$(basename "$target" .rs)
    case $family in
        detect) files='../fixtures/*/*/*' ;;
        benchmarks) files='../fixtures/bencher/*/* ../fixtures/github-action-benchmark/*/*' ;;
        jmeter) files='../fixtures/jmeter/*/* ../fixtures/azure-load-testing/*/*' ;;
        wrk) files='../fixtures/wrk*/*/*' ;;
        *) files="../fixtures/$family/*/*" ;;
    esac
    mkdir -p "corpus/$family"
    for file in $files; do
        if [ ! -f "$file" ] || [ "$(basename "$file")" = expected.json ]; then continue; fi
        name=$(echo "${file#../fixtures/}" | tr '/' '-')
        # Enough of a long file: the fuzzer copies it around.
        case $file in
            *.gz) gzip -dc "$file" | head -c 20000 > "corpus/$family/$name" ;;
            *) head -c 20000 "$file" > "corpus/$family/$name" ;;
        esac
    done
done
