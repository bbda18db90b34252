#!/bin/sh
# tests/fuzz/run.sh BUILD SECONDS TARGET... — each libFuzzer target of the preset `fuzz` for so many seconds, in turn.
# What it learns stays in BUILD/fuzz/corpus/TARGET; what makes it fail is kept beside as TARGET-crash-..., and told.
set -eu
build=$(cd "$1" && pwd) seconds=$2 folder=$(cd "$(dirname "$0")" && pwd)
shift 2
for target; do
    corpus=$build/fuzz/corpus/$target
    mkdir -p "$corpus"
    "$build/tests/$target" --write-seeds "$corpus" >/dev/null
    "$build/fuzz/$target" -dict="$folder/checkpoints.dict" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -verbosity=0 \
        -print_final_stats=1 -max_total_time="$seconds" -artifact_prefix="$build/fuzz/$target-" "$corpus"
done
