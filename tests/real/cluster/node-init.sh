#!/usr/bin/env bash
# PID 1 of the cluster's namespaces (started by up.sh through unshare).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
export PATH=$BIN:$PATH
P=$S/pid-ns; mkdir -p "$P"
mkdir -p "$S"/{varlog,cni,ipam,containerd,kubelet,images}
# private /run, /var/log; sysfs of this net namespace, with the cgroup mounts kept
mount -n -t tmpfs -o mode=755 tmpfs /run; mkdir -p /run/cg /run/netns /run/containerd /run/lock
mount --rbind /sys/fs/cgroup /run/cg
mount -t sysfs sysfs /sys
mount --rbind /run/cg /sys/fs/cgroup; umount -l /run/cg
mount --bind "$S/varlog" /var/log
: > "$S/resolv.conf"; mount --bind "$S/resolv.conf" /etc/resolv.conf   # no name server: image pulls fail at once, nothing is asked outside
mount --make-rshared /   # only now: under shared propagation the umount above would take /sys/fs/cgroup/* with it
# a cgroup of our own in every v1 hierarchy
for h in /sys/fs/cgroup/*/; do
  [ -e "$h/cgroup.procs" ] || continue
  [ "$(basename "$h")" = unified ] && continue
  mkdir -p "$h/$CG"
  if [ -e "$h/$CG/cpuset.cpus" ]; then cat "$h/cpuset.cpus" > "$h/$CG/cpuset.cpus"; cat "$h/cpuset.mems" > "$h/$CG/cpuset.mems"; fi
done
ip link set lo up
for _ in $(seq 200); do ip link show $VETH_N >/dev/null 2>&1 && break; sleep 0.02; done
ip addr add $NODE_N/30 dev $VETH_N; ip link set $VETH_N up
sysctl -qw net.ipv4.ip_forward=1
# kubelet sets these (not namespaced); down.sh puts them back
for k in vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys kernel.keys.root_maxbytes; do
  echo "$k $(sysctl -n $k)"; done > "$S/sysctl.saved"
log "namespaces ready"

cat > "$S/containerd.toml" <<Y
version = 2
root = "$S/containerd"
state = "/run/containerd"
oom_score = 0
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$S/containerd-opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "local.test/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$S/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "${KC_SNAPSHOTTER:-overlayfs}"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
Y
cat > "$S/cni/10-kc.conflist" <<Y
{"cniVersion": "0.4.0", "name": "kc", "plugins": [
 {"type": "ptp", "ipMasq": false, "mtu": 1500,
  "ipam": {"type": "host-local", "dataDir": "$S/ipam", "ranges": [[{"subnet": "$POD_NET", "gateway": "$POD_GW"}]],
           "routes": [{"dst": "0.0.0.0/0"}]}}]}
Y
cat > "$S/kubelet.yaml" <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $NODE_N
healthzBindAddress: 127.0.0.1
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $S/pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $S/pki/kubelet.crt
tlsPrivateKeyFile: $S/pki/kubelet.key
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /$CG
enforceNodeAllocatable: [pods]
failSwapOn: false
failCgroupV1: false
oomScoreAdj: 0
resolvConf: $S/resolv.conf
podLogsDir: /var/log/pods
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {memory.available: 100Mi, nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%", imagefs.inodesFree: "0%"}
makeIPTablesUtilChains: true
registerNode: true
maxPods: 200
serializeImagePulls: true
syncFrequency: 10s
nodeStatusUpdateFrequency: 5s
shutdownGracePeriod: 0s
${KC_CRASH_MAX:+featureGates: {KubeletCrashLoopBackOffMax: true\}}
${KC_CRASH_MAX:+crashLoopBackOff: {maxContainerRestartPeriod: $KC_CRASH_MAX\}}
${KC_KUBELET_EXTRA:-}
Y
cat > "$S/kube-proxy.yaml" <<Y
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
bindAddress: $NODE_N
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
clientConnection: {kubeconfig: $S/kube-proxy.kubeconfig}
mode: ${KC_PROXY_MODE:-iptables}
clusterCIDR: $POD_NET
hostnameOverride: $NODE
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
iptables: {minSyncPeriod: 0s}
Y

spawn containerd containerd --config "$S/containerd.toml"
start_etcd; start_apiserver
for _ in $(seq 300); do ctr -a /run/containerd/containerd.sock version >/dev/null 2>&1 && break; sleep 0.05; done
log "containerd answers"
for t in "$IMAGES"/*.tar; do ctr -a /run/containerd/containerd.sock -n k8s.io images import "$t" >>"$S/log/import.log" 2>&1; done
log "images imported"
wait_http kube-apiserver 60 "$API_URL/readyz"; log "apiserver ready"
kubeconf "$S/kubelet.kubeconfig" kubelet; kubeconf "$S/kube-proxy.kubeconfig" kube-proxy
start_kcm; start_scheduler
spawn kubelet "$BIN/kubelet" --config="$S/kubelet.yaml" --kubeconfig="$S/kubelet.kubeconfig" \
  --root-dir="$S/kubelet" --cert-dir="$S/kubelet/pki" --hostname-override="$NODE" --node-ip="$NODE_N" --v="${KC_V:-2}"
spawn kube-proxy "$BIN/kube-proxy" --config="$S/kube-proxy.yaml" --v="${KC_V:-2}"
log "kubelet, kube-proxy started"
touch "$S/ready"
# stay as PID 1 and reap orphaned shims for ever
while :; do wait -n 2>/dev/null || sleep 1; done
