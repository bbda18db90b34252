#!/bin/sh
# test_headers.sh INCLUDE — every public header stands alone, without a warning, in C17 and in C++17.
set -eu
cxx=
for candidate in c++ g++ clang++ clang++-15; do
    command -v "$candidate" >/dev/null && cxx=$candidate && break
done
for header in "$1"/latentwalk/*.h; do
    ${CC:-cc} -std=c17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c "$header"
    [ -z "$cxx" ] || "$cxx" -std=c++17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c++ "$header"
done
[ -n "$cxx" ] || { echo "skipped: no C++ compiler for the C++17 half"; exit 77; }
