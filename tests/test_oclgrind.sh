#!/bin/sh
# test_oclgrind.sh LATENTWALK TESTS — the kernels for GPUs under oclgrind, which plays an OpenCL device and reports
# every access out of bounds, data race, divergent barrier and wrong API call.
set -eu
command -v oclgrind >/dev/null || { echo "skipped: oclgrind is not installed"; exit 77; }
latentwalk=$1 tests=$2
folder=$(mktemp -d /tmp/latentwalk-oclgrind-XXXXXX)
trap 'rm -r "$folder"' EXIT
watch() {
    echo "$@"
    status=0
    oclgrind --data-races --check-api --max-errors 20 --log "$folder/log" "$@" >"$folder/told" 2>&1 || status=$?
    if [ "$status" != 0 ] || [ -s "$folder/log" ]; then
        cat "$folder/told" "$folder/log"
        exit 1
    fi
}
watch "$latentwalk" devices
grep -qi oclgrind "$folder/told" || { echo "oclgrind does not take the place of OpenCL here"; exit 1; }
watch "$tests/test_dense" 'gpu_tiles*'
watch "$tests/test_ops" 'gpu: s' 'gpu: max' 'gpu: gather' 'gpu: random' 'gpu: resample' 'gpu: pad' 'gpu: concat' \
    'gpu: permute' 'gpu: iota'
