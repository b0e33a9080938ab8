#!/bin/sh
# One node of Kubernetes in network, mount and process namespaces of its own: this is their first process. Everything ends with it.
#
# Owns the namespaces' set-up, containerd, kubelet and kube-proxy. Left out is the control plane: it is started beside, in the
# first node's network, once `network` is there; `go` says that it answers.
#
# DIR  directory of this node        NAME    its name            ADDRESS  its address in the bridge's network
# PODS its pods' network             GROUP   its control group   IMAGES   archives to import, separated by colons
# TOOLS the programs of Kubernetes   FIRST   1 for the node that has the bridge
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
say() { echo "$(date +%T) $*"; }
wait_for() { while [ ! -e "$DIR/$1" ]; do sleep 0.05; done; }
trap 'exit 0' TERM

mount --make-rprivate /
mkdir -p "$DIR/containerd" "$DIR/kubelet" "$DIR/logs" "$DIR/addresses" "$DIR/cni"
mount -t tmpfs tmpfs /run
mkdir -p /run/containerd /run/netns /run/lock
for pair in containerd:/var/lib/containerd kubelet:/var/lib/kubelet logs:/var/log/pods addresses:/var/lib/cni; do
  mkdir -p "${pair#*:}"
  mount --bind "$DIR/${pair%%:*}" "${pair#*:}"
done
mount --make-rshared /

ip link set lo up
if [ "$FIRST" = 1 ]; then
  ip link add node0 type bridge
  ip addr add "$ADDRESS/24" dev node0
  ip link set node0 up
  ip route add default dev node0
else
  wait_for wire
  ip addr add "$ADDRESS/24" dev eth0
  ip link set eth0 up
  ip route add default via "$GATEWAY"
fi
echo 1 >/proc/sys/net/ipv4/ip_forward
# Where the kernel's bridge filter is a module that is not loaded, pods of one node reach each other without it.
echo 1 2>/dev/null >/proc/sys/net/bridge/bridge-nf-call-iptables || true

if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  mkdir -p "/sys/fs/cgroup$GROUP"
  for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" 2>/dev/null >/sys/fs/cgroup/cgroup.subtree_control || true
    echo "+$controller" 2>/dev/null >"/sys/fs/cgroup$GROUP/cgroup.subtree_control" || true
  done
else
  for controller in /sys/fs/cgroup/*/; do mkdir -p "$controller$GROUP"; done
  for file in cpus mems; do cat "/sys/fs/cgroup/cpuset/cpuset.$file" >"/sys/fs/cgroup/cpuset$GROUP/cpuset.$file"; done
fi
touch "$DIR/network"

cat >"$DIR/cni/10-bridge.conflist" <<END
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$PODS"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
END
cat >"$DIR/containerd.toml" <<END
version = 2
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:test"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$DIR/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
END
containerd -c "$DIR/containerd.toml" >"$DIR/containerd.log" 2>&1 &
until ctr version >/dev/null 2>&1; do sleep 0.1; done
say "containerd answers"
( IFS=:; for image in $IMAGES; do ctr -n k8s.io images import "$image" >/dev/null; done )
say "images imported"
touch "$DIR/images"

wait_for go
# The cluster's own name server, for what asks without the pod's settings.
echo "nameserver 10.96.0.10" >"$DIR/resolv.conf"
cat >"$DIR/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: $GROUP
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
failSwapOn: false
oomScoreAdj: 0
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $AUTHORITY}}
authorization: {mode: Webhook}
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
resolvConf: $DIR/resolv.conf
evictionHard: {memory.available: "100Mi", nodefs.available: "1%", nodefs.inodesFree: "1%", imagefs.available: "1%"}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
syncFrequency: 5s
fileCheckFrequency: 5s
nodeStatusUpdateFrequency: 5s
nodeLeaseDurationSeconds: 4
configMapAndSecretChangeDetectionStrategy: Watch
END
"$TOOLS/kubelet" --config="$DIR/kubelet.yaml" --kubeconfig="$KUBECONFIG" --hostname-override="$NAME" --node-ip="$ADDRESS" \
  --v=2 >"$DIR/kubelet.log" 2>&1 &
"$TOOLS/kube-proxy" --kubeconfig="$KUBECONFIG" --proxy-mode=iptables --hostname-override="$NAME" --cluster-cidr=10.244.0.0/16 \
  --conntrack-max-per-core=0 --metrics-bind-address=127.0.0.1:10249 --healthz-bind-address=127.0.0.1:10256 \
  >"$DIR/kube-proxy.log" 2>&1 &
say "kubelet and kube-proxy started"
while :; do sleep 3600 & wait $! || true; done
