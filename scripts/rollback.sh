#!/usr/bin/env bash
# Rolls an environment back to its newest known-good revisions: ./scripts/rollback.sh staging|production [--dry-run]
# The watchdog does the rest: guard, evidence, rollback, proof, and word to the receivers. See docs/operations.md.
set -euo pipefail
if [ $# -eq 0 ]; then
  echo "usage: $0 staging|production [options of watchdog rollback, such as --dry-run]" >&2
  exit 2
fi
environment=$1
shift
here=$(cd "$(dirname "$0")/.." && pwd)
watchdog=$(command -v watchdog || echo "$here/.venv/bin/watchdog")
exec "$watchdog" rollback --environment "$environment" --config "${WATCHDOG_CONFIG:-watchdog.yaml}" "$@"
