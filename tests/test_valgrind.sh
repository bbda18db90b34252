#!/bin/sh
# test_valgrind.sh LATENTWALK PLUGINS — a small run under valgrind: no invalid access and nothing lost that is ours.
# PoCL compiles in the process, for the processor that valgrind plays: a first run without checks fills its cache.
set -eu
command -v valgrind >/dev/null || { echo "skipped: valgrind is not installed"; exit 77; }
latentwalk=$1 plugins=$2
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d /tmp/latentwalk-valgrind-XXXXXX)
trap 'rm -r "$folder"' EXIT
cat >"$folder/walk.yaml" <<'END'
latentwalk: 1
models:
  tiny: {generator: tiny}
steps:
  - {id: start, uses: source/latents, with: {model: tiny, count: 2}}
  - id: walk
    uses: method/trajectory-net
    with: {model: tiny, points: 3, hidden: [4], iterations: 2, losses: [{uses: loss/smoothness}]}
    inputs: {z: start.z}
  - {id: save, uses: sink/tensors, inputs: {tensors: walk.walk}}
END
cd "$folder"
export POCL_CACHE_DIR="$folder/pocl"
mkdir pocl
valgrind --tool=none --quiet "$latentwalk" run walk.yaml --plugin-path "$plugins" --out first --quiet >/dev/null
check() {
    echo "latentwalk $*"
    valgrind --quiet --error-exitcode=99 --leak-check=full --num-callers=40 --keep-debuginfo=yes \
        --errors-for-leak-kinds=definite --show-leak-kinds=definite --suppressions="$here/valgrind.supp" \
        "$latentwalk" "$@" --plugin-path "$plugins"
}
check run walk.yaml --out run --quiet
cmp first/steps/walk/outputs/walk.safetensors run/steps/walk/outputs/walk.safetensors
check run walk.yaml --dry-run
check describe method/trajectory-net >/dev/null
