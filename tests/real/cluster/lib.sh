# Shared by up.sh, down.sh and node-init.sh. Sourced, never run.
#
# One Kubernetes node of real parts in namespaces of its own. KC_INDEX (0 to 7) keeps several apart on one machine.
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BIN=${KC_BIN:?where the built programs are}
S=${KC_STATE:?the folder of this cluster, a short path}
IMAGES=${KC_IMAGES:?the folder of image archives}
N=${KC_INDEX:-0}
P=${KC_PIDDIR:-$S/pid} # pids as seen where the processes were started
NODE=node1
ETCD_PORT=23790
API_PORT=6443
SVC_NET=10.$((96 + N)).0.0/16
SVC_API=10.$((96 + N)).0.1
POD_NET=10.88.$N.0/24
POD_GW=10.88.$N.1
VETH_H=kch$N # host end / cluster end of the veth pair
VETH_N=kcn$N
NODE_H=10.89.$N.1 # their addresses
NODE_N=10.89.$N.2
CG=kc$N # cgroup made under each v1 hierarchy
API_IP=$NODE_N
API_URL=https://$API_IP:$API_PORT

log() { printf '[%3d s] %s\n' "$SECONDS" "$*" >&2; }
die() { log "FAILED: $*"; exit 1; }

# ---- certificates --------------------------------------------------------
# cert NAME CN O SANS   (EC P-256; one CA signs everything)
cert() {
  local n=$1 cn=$2 o=$3 san=${4:-} d=$S/pki
  {
    echo "[req]"; echo "distinguished_name=dn"; echo "prompt=no"
    echo "[dn]"; [ -n "$o" ] && echo "O=$o"; echo "CN=$cn"
    echo "[ext]"; echo "basicConstraints=CA:FALSE"; echo "keyUsage=digitalSignature,keyEncipherment"
    echo "extendedKeyUsage=serverAuth,clientAuth"; [ -n "$san" ] && echo "subjectAltName=$san"
  } > "$d/$n.cnf"
  openssl ecparam -name prime256v1 -genkey -noout -out "$d/$n.key"
  openssl req -new -key "$d/$n.key" -config "$d/$n.cnf" -out "$d/$n.csr"
  openssl x509 -req -in "$d/$n.csr" -CA "$d/ca.crt" -CAkey "$d/ca.key" -set_serial "0x$(openssl rand -hex 8)" \
    -days 365 -extfile "$d/$n.cnf" -extensions ext -out "$d/$n.crt" 2>/dev/null
  rm -f "$d/$n.csr" "$d/$n.cnf"
}
make_pki() {
  mkdir -p "$S/pki"; chmod 700 "$S/pki"
  openssl ecparam -name prime256v1 -genkey -noout -out "$S/pki/ca.key"
  openssl req -x509 -new -key "$S/pki/ca.key" -subj /CN=kc-ca -days 365 -out "$S/pki/ca.crt" \
    -addext keyUsage=critical,keyCertSign,cRLSign
  openssl ecparam -name prime256v1 -genkey -noout -out "$S/pki/sa.key"
  openssl ec -in "$S/pki/sa.key" -pubout -out "$S/pki/sa.pub" 2>/dev/null
  cert apiserver kube-apiserver "" "IP:$API_IP,IP:127.0.0.1,IP:$SVC_API,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
  cert admin kc-admin system:masters
  cert kcm system:kube-controller-manager ""
  cert scheduler system:kube-scheduler ""
  cert kubelet "system:node:$NODE" system:nodes "IP:$NODE_N,DNS:$NODE"
  cert apiserver-kubelet kc-apiserver-kubelet system:masters
  cert kube-proxy system:kube-proxy ""
}
# kubeconf FILE CERTNAME      (client certificate, data embedded)
kubeconf() {
  local d=$S/pki
  cat > "$1" <<Y
apiVersion: v1
kind: Config
clusters:
- {name: kc, cluster: {server: "$API_URL", certificate-authority-data: $(base64 -w0 "$d/ca.crt")}}
users:
- {name: u, user: {client-certificate-data: $(base64 -w0 "$d/$2.crt"), client-key-data: $(base64 -w0 "$d/$2.key")}}
contexts:
- {name: kc, context: {cluster: kc, user: u}}
current-context: kc
Y
  chmod 600 "$1"
}

# ---- processes -----------------------------------------------------------
# spawn NAME cmd...     detached, log in $S/log/NAME.log, pid in $S/pid/NAME
spawn() {
  local n=$1; shift
  setsid "$@" >"$S/log/$n.log" 2>&1 </dev/null &
  echo $! > "$P/$n"
}
alive() { kill -0 "$(cat "$P/$1")" 2>/dev/null; }
# wait_http NAME SECONDS URL
wait_http() {
  local end=$((SECONDS + $2))
  until curl -fsS --max-time 2 --cacert "$S/pki/ca.crt" --cert "$S/pki/admin.crt" --key "$S/pki/admin.key" \
        -o /dev/null "$3" 2>/dev/null; do
    alive "$1" || { tail -5 "$S/log/$1.log" >&2; die "$1 exited"; }
    [ $SECONDS -lt $end ] || { tail -5 "$S/log/$1.log" >&2; die "$1 not ready at $3"; }
    sleep 0.1
  done
}

start_etcd() {
  spawn etcd "$BIN/etcd" --name kc --data-dir "$S/etcd" --unsafe-no-fsync --logger=zap --log-level=warn \
    --listen-client-urls "http://127.0.0.1:$ETCD_PORT" --advertise-client-urls "http://127.0.0.1:$ETCD_PORT" \
    --listen-peer-urls "http://127.0.0.1:$((ETCD_PORT+1))" --initial-advertise-peer-urls "http://127.0.0.1:$((ETCD_PORT+1))" \
    --initial-cluster "kc=http://127.0.0.1:$((ETCD_PORT+1))"
}
start_apiserver() {
  spawn kube-apiserver "$BIN/kube-apiserver" \
    --etcd-servers="http://127.0.0.1:$ETCD_PORT" \
    --bind-address="$API_IP" --secure-port="$API_PORT" \
    --service-cluster-ip-range="$SVC_NET" \
    --tls-cert-file="$S/pki/apiserver.crt" --tls-private-key-file="$S/pki/apiserver.key" \
    --client-ca-file="$S/pki/ca.crt" \
    --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file="$S/pki/sa.pub" --service-account-signing-key-file="$S/pki/sa.key" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --kubelet-client-certificate="$S/pki/apiserver-kubelet.crt" --kubelet-client-key="$S/pki/apiserver-kubelet.key" \
    --kubelet-certificate-authority="$S/pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --advertise-address="$NODE_N" --allow-privileged=true --profiling=false \
    ${KC_AUDIT:+--audit-policy-file="$KC_AUDIT" --audit-log-path="$S/log/audit.json"}
}
start_kcm() {
  kubeconf "$S/kcm.kubeconfig" kcm
  spawn kube-controller-manager "$BIN/kube-controller-manager" --kubeconfig="$S/kcm.kubeconfig" \
    --authentication-kubeconfig="$S/kcm.kubeconfig" --authorization-kubeconfig="$S/kcm.kubeconfig" \
    --bind-address=127.0.0.1 --leader-elect=false --use-service-account-credentials \
    --service-account-private-key-file="$S/pki/sa.key" --root-ca-file="$S/pki/ca.crt" --profiling=false \
    --cluster-signing-cert-file="$S/pki/ca.crt" --cluster-signing-key-file="$S/pki/ca.key" \
    --kube-api-qps="${KC_KCM_QPS:-100}" --kube-api-burst="${KC_KCM_BURST:-200}"
}
start_scheduler() {
  kubeconf "$S/scheduler.kubeconfig" scheduler
  spawn kube-scheduler "$BIN/kube-scheduler" --kubeconfig="$S/scheduler.kubeconfig" \
    --authentication-kubeconfig="$S/scheduler.kubeconfig" --authorization-kubeconfig="$S/scheduler.kubeconfig" \
    --bind-address=127.0.0.1 --leader-elect=false --profiling=false \
    --kube-api-qps="${KC_KCM_QPS:-100}" --kube-api-burst="${KC_KCM_BURST:-200}"
}
