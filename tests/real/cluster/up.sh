#!/usr/bin/env bash
# From nothing to a Ready node; needs KC_BIN, KC_STATE, KC_IMAGES and KC_INDEX. Timings on stderr, the kubeconfig on stdout.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
[ ! -e "$S" ] || die "$S exists: run down.sh first"
mkdir -p "$S"/{log,pid}
make_pki
kubeconf "$S/admin.kubeconfig" admin
log "certificates made"
K=("$BIN/kubectl" --kubeconfig "$S/admin.kubeconfig")

# Everything runs in mount, pid and net namespaces of its own: killing one pid ends it all.
setsid unshare --mount --pid --net --fork --kill-child=KILL --mount-proc --propagation private \
  bash "$HERE/node-init.sh" >"$S/log/init.log" 2>&1 </dev/null &
U=$!
echo $U >"$S/pid/unshare"
for _ in $(seq 100); do
  I=$(tr -d ' ' <"/proc/$U/task/$U/children" 2>/dev/null) || true
  [ -n "${I:-}" ] && [ "$(readlink "/proc/$I/ns/net")" != "$(readlink /proc/self/ns/net)" ] && break
  sleep 0.05
done
[ -n "${I:-}" ] || die "no namespace init; see $S/log/init.log"
echo "$I" >"$S/pid/init"
ip link add "$VETH_H" type veth peer name "$VETH_N" netns "$I"
ip addr add "$NODE_H/30" dev "$VETH_H"
ip link set "$VETH_H" up
ip route add "$POD_NET" via "$NODE_N" dev "$VETH_H"
ip route add "$SVC_NET" via "$NODE_N" dev "$VETH_H"
for _ in $(seq 600); do
  [ -e "$S/ready" ] && break
  kill -0 "$I" 2>/dev/null || { tail -5 "$S/log/init.log" >&2; die "init exited"; }
  sleep 0.1
done
[ -e "$S/ready" ] || die "node services not up; see $S/log"
log "apiserver ready, kubelet started"
ready='jsonpath={.status.conditions[?(@.type=="Ready")].status}'
for _ in $(seq 600); do
  if "${K[@]}" get serviceaccount default >/dev/null 2>&1 \
    && [ "$("${K[@]}" get node "$NODE" -o "$ready" 2>/dev/null)" = True ]; then
    log "node Ready"
    echo "$S/admin.kubeconfig"
    exit 0
  fi
  sleep 0.1
done
die "the node did not get Ready; see $S/log"
