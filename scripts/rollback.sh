#!/usr/bin/env bash
# Rolls an environment back to its newest known-good revisions: ./scripts/rollback.sh staging|production [--dry-run]
# The watchdog does the rest: guard, evidence, rollback, proof, and word to the receivers. See docs/operations.md.
set -euo pipefail
environment=${1:?usage: $0 staging|production [watchdog rollback options]}
shift
here=$(cd "$(dirname "$0")/.." && pwd)
watchdog=$(command -v watchdog || echo "$here/.venv/bin/watchdog")
exec "$watchdog" rollback --environment "$environment" --config "${WATCHDOG_CONFIG:-watchdog.yaml}" "$@"
