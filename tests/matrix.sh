#!/bin/sh
# Runs the tests on each Python from 3.11 to 3.14 that can be found, each in an environment of its own.
set -eu
cd "$(dirname "$0")/.."

# A name on the PATH may be a shim that fails, so each candidate has to run.
find_python() {
    for candidate in "python$1" "$(pyenv root 2>/dev/null)/versions/$1".*/bin/python; do
        if "$candidate" -c '' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

found=0
for version in 3.11 3.12 3.13 3.14; do
    if ! python=$(find_python "$version"); then
        echo "$version: not found, skipped"
        continue
    fi
    found=$((found + 1))
    echo "$version: $python"
    make --no-print-directory test PYTHON="$python" VENV=".venv-$version"
done
[ "$found" -gt 0 ] || { echo "no Python from 3.11 to 3.14 found" >&2; exit 1; }
