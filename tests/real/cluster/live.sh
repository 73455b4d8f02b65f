#!/usr/bin/env bash
# One cluster's life: removes what is left of a dead one, starts it, says so on stdout, and ends it when stdin ends: when
# the test run closes it, or is killed. Never both at once, so a run killed in the middle of the start leaves nothing too.
set -uo pipefail
here=$(dirname "$0")
bash "$here/down.sh" </dev/null >&2
if ! bash "$here/up.sh" </dev/null; then
  bash "$here/down.sh" </dev/null >&2
  exit 1
fi
cat >/dev/null
exec bash "$here/down.sh" </dev/null >&2
