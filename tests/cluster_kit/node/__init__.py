"""The node tier: one real node in Linux namespaces of its own.

    host                                  | the node: pid, mount, network, ipc and uts namespaces
    --------------------------------------+--------------------------------------------------------
    etcd, kube-apiserver,                 | init (reaps), containerd and its shims, kubelet,
    kube-controller-manager,              | kube-proxy, CoreDNS, the pods
    kube-scheduler                        |
    10.B.255.1  ==== a veth pair ("cable") ====  10.B.255.2
    routes 10.B.0.0/24 (pods) and 10.B.128.0/20 (Services) by the cable

Inside, every program finds its usual places (/run, /var/lib, /var/log), which are folders of the run. When the
node's first process ends, the kernel ends every process in it and takes its mounts, interfaces, addresses and packet
filter rules away: a crashed run leaves control groups and a folder, nothing else.
"""
