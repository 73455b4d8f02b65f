#!/usr/bin/env bash
# Ends what up.sh started, by pid, and removes all that it made. Needs the same variables.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
[ -d "$S" ] || exit 0
# Everything but the namespace's PID 1, which then reaps it: what ends with PID 1 is reaped by nobody, and its processor
# time is lost to whoever counts it.
I=$(cat "$S/pid/init" 2>/dev/null) || true
if [ -n "${I:-}" ] && nsenter -t "$I" -m -p bash -c 'kill -KILL -1' 2>/dev/null; then
  for _ in $(seq 500); do [ -n "$(cat "/proc/$I/task/$I/children" 2>/dev/null)" ] || break; sleep 0.02; done
fi
# PID 1: the kernel ends what is left of the pid namespace with it, the mount namespace takes the mounts, the net
# namespace the veths, routes and rules.
for n in init unshare; do [ -f "$S/pid/$n" ] && kill -KILL "$(cat "$S/pid/$n")" 2>/dev/null; done
for n in init unshare; do
  for _ in $(seq 500); do [ -f "$S/pid/$n" ] && [ -d "/proc/$(cat "$S/pid/$n")" ] || break; sleep 0.02; done
done
ip link del "$VETH_H" 2>/dev/null
for h in /sys/fs/cgroup/*/"$CG"; do
  [ -d "$h" ] || continue
  for _ in $(seq 50); do
    find "$h" -depth -type d -exec rmdir {} + 2>/dev/null
    [ -d "$h" ] || break
    sleep 0.05
  done
  [ -d "$h" ] && log "left: $h"
done
if [ -f "$S/sysctl.saved" ]; then while read -r k v; do sysctl -qw "$k=$v"; done <"$S/sysctl.saved"; fi
rm -rf "$S"
