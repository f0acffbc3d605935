"""The border: a Kubernetes object as the API or a manifest holds it becomes a typed value, defaulted as the API server does.

Input may be anything that YAML can say, so every access checks its type; what does not fit raises `MalformedObject`
with the field's path.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from auditpipeline.api.findings import ObjectRef
from auditpipeline.world import fields
from auditpipeline.world.fields import MalformedObject
from auditpipeline.world.objects import (
    CALICO_POLICY,
    FOREIGN_POLICIES,
    ConfigMap,
    Container,
    ContainerPort,
    ContainerRole,
    Endpoint,
    EndpointSlice,
    EnvFrom,
    EnvVar,
    ExecProbe,
    IPBlock,
    KeyRef,
    KubernetesObject,
    Mount,
    Namespace,
    NetworkPeer,
    NetworkPolicy,
    NetworkPort,
    NetworkRule,
    Pod,
    PodSpec,
    PolicyRule,
    Probe,
    ProjectedFile,
    Role,
    RoleBinding,
    RunningContainer,
    Selector,
    SelectorTerm,
    Service,
    ServiceAccount,
    ServicePort,
    Subject,
    Volume,
    Workload,
)

CLUSTER_SCOPED: Final = frozenset({"Namespace", "ClusterRole", "ClusterRoleBinding"}) | {
    policy.kind for policy in FOREIGN_POLICIES if policy.cluster_scoped
}
SERVICE_NAME_LABEL: Final = "kubernetes.io/service-name"
_YEAR_10000: Final = 253402300800
_PORT_NUMBER: Final = re.compile(r"[0-9]{1,5}")


def project(obj: Mapping[str, Any], ref: ObjectRef | None = None) -> KubernetesObject | None:
    """The typed value of an object, or None for a kind that no check looks at; `ref` where it has been read already.

    Raises:
        MalformedObject: A field has a type that its kind does not allow.
    """
    kind = obj.get("kind")
    api_version = obj.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(api_version, str):
        raise MalformedObject("apiVersion and kind must be strings")
    entry = _PROJECTORS.get((api_version.partition("/")[0] if "/" in api_version else "", kind))
    if entry is None:
        return _foreign_workload(obj, kind)
    return entry(obj, ref or object_ref(obj))


def object_ref(obj: Mapping[str, Any]) -> ObjectRef:
    """Kind, namespace (`default` where a namespaced object has none) and name.

    Raises:
        MalformedObject: The object has no usable name.
    """
    meta = fields.mapping(obj, "metadata", "metadata")
    name = fields.text(meta, "name", "metadata.name")
    kind = obj["kind"]
    if not name:
        raise MalformedObject("metadata.name must be set")
    namespace = "" if kind in CLUSTER_SCOPED else (fields.text(meta, "namespace", "metadata.namespace") or "default")
    return ObjectRef(kind, namespace, name)


def epoch(timestamp: object) -> float | None:
    """Seconds since the epoch of an RFC 3339 timestamp of 1970 to 9999; None for anything else."""
    try:
        moment = datetime.fromisoformat(timestamp) if isinstance(timestamp, str) else timestamp
    except ValueError:
        return None
    if not isinstance(moment, datetime):
        return None
    seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return seconds if 0 <= seconds < _YEAR_10000 else None


# --- pods and workloads -------------------------------------------------------------------------------------------


def pod_spec(template: Mapping[str, Any], path: str) -> PodSpec:
    """A pod template (or a pod) with its containers in the order in which they start.

    Raises:
        MalformedObject: A field has the wrong type.
    """
    meta = fields.mapping(template, "metadata", f"{path}metadata")
    spec = fields.mapping(template, "spec", f"{path}spec")
    where = f"{path}spec"
    containers: list[Container] = []
    for item in fields.objects(spec, "initContainers", where):
        role: ContainerRole = "sidecar" if item.get("restartPolicy") == "Always" else "init"
        containers.append(_container(item, role, f"{where}.initContainers"))
    containers += [_container(item, "container", f"{where}.containers") for item in fields.objects(spec, "containers", where)]
    containers += [_container(item, "ephemeral", f"{where}.ephemeralContainers") for item in fields.objects(spec, "ephemeralContainers", where)]
    automount = spec.get("automountServiceAccountToken")
    return PodSpec(
        labels=fields.labels(meta, "labels", f"{path}metadata.labels"),
        service_account=fields.text(spec, "serviceAccountName", where) or fields.text(spec, "serviceAccount", where) or "default",
        automount=automount if isinstance(automount, bool) else None,
        containers=tuple(containers),
        volumes=tuple(_volume(item, f"{where}.volumes") for item in fields.objects(spec, "volumes", where)),
        host_network=spec.get("hostNetwork") is True,
        grace_period=fields.number(spec, "terminationGracePeriodSeconds", where) if "terminationGracePeriodSeconds" in spec else 30,
        reloaded=_reloaded(meta),
        dns_policy=fields.text(spec, "dnsPolicy", where) or "ClusterFirst",
        own_resolver=bool(fields.objects(spec, "hostAliases", where) or fields.texts(fields.mapping(spec, "dnsConfig", where), "nameservers", where)),
        searches=fields.texts(fields.mapping(spec, "dnsConfig", where), "searches", where),
        host_aliases=frozenset(name.lower() for item in fields.objects(spec, "hostAliases", where) for name in fields.texts(item, "hostnames", where)),
    )


def _container(item: Mapping[str, Any], role: ContainerRole, path: str) -> Container:
    name = fields.text(item, "name", path)
    where = f"{path}[{name}]"
    return Container(
        name=name,
        role=role,
        command=fields.texts(item, "command", where),
        args=fields.texts(item, "args", where),
        env=tuple(_env(entry, f"{where}.env") for entry in fields.objects(item, "env", where)),
        env_from=tuple(_env_from(entry, f"{where}.envFrom") for entry in fields.objects(item, "envFrom", where)),
        mounts=tuple(
            Mount(
                fields.text(entry, "name", where),
                fields.text(entry, "mountPath", where),
                fields.text(entry, "subPath", where) or fields.text(entry, "subPathExpr", where),
            )
            for entry in fields.objects(item, "volumeMounts", where)
        ),
        probes=tuple(
            _probe(name, http, where)
            for name in _PROBES
            for http in (fields.mapping(fields.mapping(item, name, f"{where}.{name}"), "httpGet", f"{where}.{name}.httpGet"),)
            if http
        ),
        exec_probes=tuple(
            ExecProbe(name, words)
            for name in _PROBES
            for probe in (fields.mapping(item, name, f"{where}.{name}"),)
            for words in (fields.texts(fields.mapping(probe, "exec", f"{where}.{name}.exec"), "command", f"{where}.{name}.exec"),)
            if words
        ),
        ports=tuple(
            ContainerPort(fields.text(entry, "name", where), fields.number(entry, "containerPort", where), fields.text(entry, "protocol", where) or "TCP")
            for entry in fields.objects(item, "ports", where)
        ),
    )


_PROBES: Final = ("startupProbe", "readinessProbe", "livenessProbe")


def _probe(kind: str, http: Mapping[str, Any], path: str) -> Probe:
    port = http.get("port")
    if not isinstance(port, int | str) or isinstance(port, bool):
        raise MalformedObject(f"{path}.{kind}.httpGet.port must be a number or a name")
    return Probe(
        kind,
        fields.text(http, "path", f"{path}.{kind}.httpGet") or "/",
        int(port) if isinstance(port, str) and port.isdigit() else port,
        fields.text(http, "scheme", f"{path}.{kind}.httpGet") or "HTTP",
    )


def _env(entry: Mapping[str, Any], path: str) -> EnvVar:
    name = fields.text(entry, "name", path)
    source = entry.get("valueFrom")
    if source is None:
        value = entry.get("value")
        # A number or boolean without quotes is refused by the API server; its text is still what the author meant.
        return EnvVar(name, "" if value is None else fields.scalar(value, f"{path}[{name}].value"))
    body = fields.as_mapping(source, f"{path}[{name}].valueFrom")
    if "configMapKeyRef" in body:
        return EnvVar(name, config_map=_key_ref(fields.mapping(body, "configMapKeyRef", path), path))
    if "secretKeyRef" in body:
        return EnvVar(name, secret=_key_ref(fields.mapping(body, "secretKeyRef", path), path))
    if "fieldRef" in body:
        return EnvVar(name, field=fields.text(fields.mapping(body, "fieldRef", path), "fieldPath", path))
    return EnvVar(name)


def _key_ref(body: Mapping[str, Any], path: str) -> KeyRef:
    return KeyRef(fields.text(body, "name", path), fields.text(body, "key", path), body.get("optional") is True)


def _env_from(entry: Mapping[str, Any], path: str) -> EnvFrom:
    config_map = fields.mapping(entry, "configMapRef", path)
    secret = fields.mapping(entry, "secretRef", path)
    return EnvFrom(
        fields.text(entry, "prefix", path),
        fields.text(config_map, "name", path),
        fields.text(secret, "name", path),
        config_map.get("optional") is True or secret.get("optional") is True,
    )


def _volume(item: Mapping[str, Any], path: str) -> Volume:
    name = fields.text(item, "name", path)
    where = f"{path}[{name}]"
    if "configMap" in item:
        return Volume(name, _config_files(fields.mapping(item, "configMap", where), where), opaque=False)
    if "hostPath" in item:
        return Volume(name, host_path=fields.text(fields.mapping(item, "hostPath", where), "path", where))
    if "projected" in item:
        files: list[ProjectedFile] = []
        opaque = token = False
        for source in fields.objects(fields.mapping(item, "projected", where), "sources", where):
            if "configMap" in source:
                files += _config_files(fields.mapping(source, "configMap", where), where)
            else:
                opaque = True
                token = token or "serviceAccountToken" in source
        return Volume(name, tuple(files), opaque=opaque, token=token)
    return Volume(name)


def _config_files(body: Mapping[str, Any], path: str) -> tuple[ProjectedFile, ...]:
    name = fields.text(body, "name", path)
    optional = body.get("optional") is True
    items = fields.objects(body, "items", path)
    if not items:
        return (ProjectedFile(name, "", "", optional),)
    return tuple(ProjectedFile(name, fields.text(item, "key", path), fields.text(item, "path", path), optional) for item in items)


def _templated(obj: Mapping[str, Any], ref: ObjectRef) -> Workload:
    spec = fields.mapping(obj, "spec", "spec")
    replicas = spec.get("replicas", 1) if ref.kind in {"Deployment", "StatefulSet", "ReplicaSet"} else None
    if replicas is not None and (not isinstance(replicas, int) or isinstance(replicas, bool)):
        raise MalformedObject("spec.replicas must be a number")
    return Workload(
        ref=ref,
        replicas=replicas,
        selector=label_selector(fields.mapping(spec, "selector", "spec.selector"), "spec.selector"),
        pod=pod_spec(fields.mapping(spec, "template", "spec.template"), "spec.template."),
        template_path="spec.template.spec",
        reloaded=_reloaded(fields.mapping(obj, "metadata", "metadata")),
        owner=_owner(obj),
    )


def _foreign_workload(obj: Mapping[str, Any], kind: str) -> Workload | None:
    """Pods of a kind that nobody here knows (an Argo Rollout, a DeploymentConfig) are pods all the same: a Service may select them.

    Its fields beside the template are its own API's business, as is any template that does not read like a pod's.
    """
    if kind in _KNOWN_KINDS:
        return None
    try:
        template = fields.mapping(fields.mapping(obj, "spec", "spec"), "template", "spec.template")
        if not fields.objects(fields.mapping(template, "spec", "spec.template.spec"), "containers", "spec.template.spec.containers"):
            return None
        return Workload(object_ref(obj), None, (), pod_spec(template, "spec.template."), "spec.template.spec")
    except MalformedObject:
        return None


def _cron_job(obj: Mapping[str, Any], ref: ObjectRef) -> Workload:
    job = fields.mapping(fields.mapping(obj, "spec", "spec"), "jobTemplate", "spec.jobTemplate")
    template = fields.mapping(fields.mapping(job, "spec", "spec.jobTemplate.spec"), "template", "spec.jobTemplate.spec.template")
    path = "spec.jobTemplate.spec.template."
    return Workload(ref, None, (), pod_spec(template, path), f"{path}spec", _reloaded(fields.mapping(obj, "metadata", "metadata")))


def _pod(obj: Mapping[str, Any], ref: ObjectRef) -> Pod | Workload:
    if "status" not in obj or _owner(obj) is None:
        # A manifest's Pod, or one that nothing owns, is its own workload.
        spec = pod_spec(obj, "")
        return Workload(ref, 1, (), spec, "spec", spec.reloaded)
    meta = fields.mapping(obj, "metadata", "metadata")
    spec_body = fields.mapping(obj, "spec", "spec")
    status = fields.mapping(obj, "status", "status")
    running: list[RunningContainer] = []
    for item in fields.objects(status, "containerStatuses", "status") + fields.objects(status, "initContainerStatuses", "status"):
        started = epoch(fields.mapping(fields.mapping(item, "state", "status"), "running", "status").get("startedAt"))
        if started is not None:
            running.append(RunningContainer(fields.text(item, "name", "status"), started))
    return Pod(
        ref=ref,
        uid=fields.text(meta, "uid", "metadata"),
        labels=fields.labels(meta, "labels", "metadata.labels"),
        owner=_owner(obj),
        ip=fields.text(status, "podIP", "status"),
        phase=fields.text(status, "phase", "status"),
        ready=any(item.get("type") == "Ready" and item.get("status") == "True" for item in fields.objects(status, "conditions", "status")),
        terminating="deletionTimestamp" in meta,
        host_network=spec_body.get("hostNetwork") is True,
        running=tuple(running),
    )


def _owner(obj: Mapping[str, Any]) -> ObjectRef | None:
    meta = fields.mapping(obj, "metadata", "metadata")
    for owner in fields.objects(meta, "ownerReferences", "metadata"):
        if owner.get("controller") is True:
            return ObjectRef(
                fields.text(owner, "kind", "metadata.ownerReferences"),
                fields.text(meta, "namespace", "metadata.namespace"),
                fields.text(owner, "name", "metadata.ownerReferences"),
            )
    return None


# --- configuration and services -----------------------------------------------------------------------------------


def _config_map(obj: Mapping[str, Any], ref: ObjectRef) -> ConfigMap:
    data = fields.mapping(obj, "data", "data")
    return ConfigMap(
        ref=ref,
        data={str(key): fields.scalar(value, f"data[{key}]") for key, value in data.items()},
        binary=frozenset(map(str, fields.mapping(obj, "binaryData", "binaryData"))),
        written=_last_write(fields.mapping(obj, "metadata", "metadata")),
    )


def _last_write(meta: Mapping[str, Any]) -> float | None:
    times = [epoch(entry.get("time")) for entry in fields.objects(meta, "managedFields", "metadata")]
    times.append(epoch(meta.get("creationTimestamp")))
    return max((time for time in times if time is not None), default=None)


def _service(obj: Mapping[str, Any], ref: ObjectRef) -> Service:
    spec = fields.mapping(obj, "spec", "spec")
    ports = []
    for item in fields.objects(spec, "ports", "spec"):
        number = fields.number(item, "port", "spec.ports")
        target = item.get("targetPort")
        if target is None:
            target = number
        if not isinstance(target, int | str) or isinstance(target, bool):
            raise MalformedObject("spec.ports.targetPort must be a number or a name")
        node_port = item.get("nodePort")
        ports.append(
            ServicePort(
                fields.text(item, "name", "spec.ports"),
                number,
                int(target) if isinstance(target, str) and _PORT_NUMBER.fullmatch(target) else (target or number),
                fields.text(item, "protocol", "spec.ports") or "TCP",
                node_port if isinstance(node_port, int) else None,
                fields.text(item, "appProtocol", "spec.ports"),
            )
        )
    external = fields.text(spec, "type", "spec") == "ExternalName"
    cluster_ip = fields.text(spec, "clusterIP", "spec")
    selector = fields.labels(spec, "selector", "spec.selector")
    return Service(
        ref=ref,
        selector=selector or None,
        ports=tuple(ports),
        headless=cluster_ip == "None",
        external_name=fields.text(spec, "externalName", "spec") if external else "",
        cluster_ips=fields.texts(spec, "clusterIPs", "spec") or ((cluster_ip,) if cluster_ip else ()),
        publish_not_ready=spec.get("publishNotReadyAddresses") is True,
    )


def _endpoint_slice(obj: Mapping[str, Any], ref: ObjectRef) -> EndpointSlice:
    endpoints = []
    for item in fields.objects(obj, "endpoints", "endpoints"):
        target = fields.mapping(item, "targetRef", "endpoints")
        ready = fields.mapping(item, "conditions", "endpoints").get("ready")
        endpoints.append(Endpoint(ready is not False, fields.text(target, "name", "endpoints") if target.get("kind") == "Pod" else ""))
    meta = fields.mapping(obj, "metadata", "metadata")
    return EndpointSlice(
        ref=ref,
        service=fields.labels(meta, "labels", "metadata.labels").get(SERVICE_NAME_LABEL, ""),
        endpoints=tuple(endpoints),
        ports=tuple(item["port"] for item in fields.objects(obj, "ports", "ports") if isinstance(item.get("port"), int)),
    )


def _endpoints(obj: Mapping[str, Any], ref: ObjectRef) -> EndpointSlice:
    # The API server mirrors hand-written Endpoints into slices.
    subsets = fields.objects(obj, "subsets", "subsets")
    return EndpointSlice(
        ref=ObjectRef("EndpointSlice", ref.namespace, ref.name),
        service=ref.name,
        endpoints=tuple(
            Endpoint(ready, fields.text(fields.mapping(item, "targetRef", "subsets"), "name", "subsets"))
            for subset in subsets
            for ready, key in ((True, "addresses"), (False, "notReadyAddresses"))
            for item in fields.objects(subset, key, "subsets")
        ),
        ports=tuple(fields.number(port, "port", "subsets") for subset in subsets for port in fields.objects(subset, "ports", "subsets")),
    )


def _namespace(obj: Mapping[str, Any], ref: ObjectRef) -> Namespace:
    meta = fields.mapping(obj, "metadata", "metadata")
    # The API server puts this label on every Namespace.
    labels = {**fields.labels(meta, "labels", "metadata.labels"), "kubernetes.io/metadata.name": ref.name}
    return Namespace(ref, labels)


# --- network policies ---------------------------------------------------------------------------------------------


def _network_policy(obj: Mapping[str, Any], ref: ObjectRef) -> NetworkPolicy:
    spec = fields.mapping(obj, "spec", "spec")
    ingress = tuple(_network_rule(item, "from", f"spec.ingress[{index}]") for index, item in enumerate(_rules(spec, "ingress")))
    egress = tuple(_network_rule(item, "to", f"spec.egress[{index}]") for index, item in enumerate(_rules(spec, "egress")))
    # SetDefaults_NetworkPolicy: what names no type isolates for ingress, and for egress where it has an egress rule.
    types = fields.texts(spec, "policyTypes", "spec") or ("Ingress", *(("Egress",) if egress else ()))
    if not {"Ingress", "Egress"}.issuperset(types):
        raise MalformedObject("spec.policyTypes must be Ingress, Egress, or both")
    return NetworkPolicy(
        ref=ref,
        selector=label_selector(fields.mapping(spec, "podSelector", "spec.podSelector"), "spec.podSelector"),
        ingress=ingress if "Ingress" in types else None,
        egress=egress if "Egress" in types else None,
    )


def _rules(spec: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The rules; a list item left blank is an empty rule to the API server, and that admits everything."""
    value = spec.get(key)
    return fields.objects({key: [fields.EMPTY if item is None else item for item in value]} if isinstance(value, list) else spec, key, "spec")


def _network_rule(item: Mapping[str, Any], peers: str, path: str) -> NetworkRule:
    return NetworkRule(
        tuple(_network_peer(peer, f"{path}.{peers}") for peer in fields.objects(item, peers, path)),
        tuple(_network_port(port, f"{path}.ports") for port in fields.objects(item, "ports", path)),
    )


def _network_peer(item: Mapping[str, Any], path: str) -> NetworkPeer:
    pods, namespaces = (
        None if item.get(key) is None else label_selector(fields.mapping(item, key, f"{path}.{key}"), f"{path}.{key}")
        for key in ("podSelector", "namespaceSelector")
    )
    block = None if item.get("ipBlock") is None else fields.mapping(item, "ipBlock", f"{path}.ipBlock")
    if (block is None) == (pods is None and namespaces is None):
        raise MalformedObject(f"{path} must hold either ipBlock, or podSelector or namespaceSelector or both")
    if block is None:
        return NetworkPeer(pods, namespaces, None)
    return NetworkPeer(None, None, IPBlock(fields.text(block, "cidr", f"{path}.ipBlock.cidr"), fields.texts(block, "except", f"{path}.ipBlock")))


def _network_port(item: Mapping[str, Any], path: str) -> NetworkPort:
    port = item.get("port")
    end = None if item.get("endPort") is None else fields.number(item, "endPort", path)
    if port is not None and (not isinstance(port, int | str) or isinstance(port, bool)):
        raise MalformedObject(f"{path}.port must be a number or a name")
    if isinstance(port, str) and _PORT_TEXT.fullmatch(port) is None:
        raise MalformedObject(f"{path}.port must be a number, or a port name with a letter in it")
    if end is not None and (not isinstance(port, int) or end < port):
        raise MalformedObject(f"{path}.endPort must be a port's number or above, beside a number")
    protocol = fields.text(item, "protocol", path) or "TCP"
    if protocol not in {"TCP", "UDP", "SCTP"}:
        raise MalformedObject(f"{path}.protocol must be TCP, UDP or SCTP")
    return NetworkPort(protocol, port, end)


def _foreign_policy(_: Mapping[str, Any], ref: ObjectRef) -> NetworkPolicy:
    # Calico's kind has the same name as the one of Kubernetes.
    kind = CALICO_POLICY if ref.kind == "NetworkPolicy" else ref.kind
    return NetworkPolicy(ref._replace(kind=kind), (), None, None, foreign=True)


# --- identity and access ------------------------------------------------------------------------------------------


def _service_account(obj: Mapping[str, Any], ref: ObjectRef) -> ServiceAccount:
    automount = obj.get("automountServiceAccountToken")
    return ServiceAccount(ref, automount if isinstance(automount, bool) else None)


def _role(obj: Mapping[str, Any], ref: ObjectRef) -> Role:
    meta = fields.mapping(obj, "metadata", "metadata")
    aggregation = fields.mapping(obj, "aggregationRule", "aggregationRule")
    return Role(
        ref=ref,
        rules=tuple(
            PolicyRule(
                frozenset(fields.texts(item, "verbs", "rules")),
                frozenset(fields.texts(item, "apiGroups", "rules")),
                frozenset(fields.texts(item, "resources", "rules")),
                frozenset(fields.texts(item, "resourceNames", "rules")),
            )
            for item in fields.objects(obj, "rules", "rules")
        ),
        labels=fields.labels(meta, "labels", "metadata.labels"),
        aggregates=tuple(
            label_selector(item, "aggregationRule.clusterRoleSelectors")
            for item in fields.objects(aggregation, "clusterRoleSelectors", "aggregationRule")
        ),
    )


def _binding(obj: Mapping[str, Any], ref: ObjectRef) -> RoleBinding:
    role = fields.mapping(obj, "roleRef", "roleRef")
    role_kind = fields.text(role, "kind", "roleRef.kind")
    return RoleBinding(
        ref=ref,
        role=ObjectRef(role_kind, "" if role_kind == "ClusterRole" else ref.namespace, fields.text(role, "name", "roleRef.name")),
        subjects=tuple(_subject(item, ref) for item in fields.objects(obj, "subjects", "subjects")),
    )


def _subject(item: Mapping[str, Any], binding: ObjectRef) -> Subject:
    kind = fields.text(item, "kind", "subjects")
    name = fields.text(item, "name", "subjects")
    if kind == "ServiceAccount":
        # A RoleBinding's own namespace stands in for one that is left out.
        return Subject(kind, fields.text(item, "namespace", "subjects") or binding.namespace, name)
    user = name.split(":")
    if kind == "User" and len(user) == 4 and user[:2] == ["system", "serviceaccount"]:
        return Subject("ServiceAccount", user[2], user[3])
    return Subject(kind, "", name)


# --- selectors and the table of kinds -----------------------------------------------------------------------------


def label_selector(body: Mapping[str, Any], path: str) -> Selector:
    """The requirements of a LabelSelector; an empty one matches everything.

    Raises:
        MalformedObject: A field has the wrong type.
    """
    terms = [SelectorTerm(key, "In", (value,)) for key, value in fields.labels(body, "matchLabels", path).items()]
    terms += [
        SelectorTerm(fields.text(item, "key", path), fields.text(item, "operator", path), fields.texts(item, "values", path))
        for item in fields.objects(body, "matchExpressions", path)
    ]
    return tuple(terms)


def _reloaded(meta: Mapping[str, Any]) -> bool:
    return any(".stakater.com/" in key for key in fields.labels(meta, "annotations", "metadata.annotations"))


_PORT_TEXT: Final = re.compile(r"[a-z0-9-]*[a-z][a-z0-9-]*")
_RBAC: Final = "rbac.authorization.k8s.io"
_PROJECTORS: Final[Mapping[tuple[str, str], Callable[[Mapping[str, Any], ObjectRef], KubernetesObject]]] = {
    ("", "ConfigMap"): _config_map,
    ("", "Endpoints"): _endpoints,
    ("", "Namespace"): _namespace,
    ("", "Pod"): _pod,
    ("", "Service"): _service,
    ("", "ServiceAccount"): _service_account,
    ("apps", "DaemonSet"): _templated,
    ("apps", "Deployment"): _templated,
    ("apps", "ReplicaSet"): _templated,
    ("apps", "StatefulSet"): _templated,
    ("batch", "CronJob"): _cron_job,
    ("batch", "Job"): _templated,
    ("discovery.k8s.io", "EndpointSlice"): _endpoint_slice,
    ("networking.k8s.io", "NetworkPolicy"): _network_policy,
    (_RBAC, "ClusterRole"): _role,
    (_RBAC, "ClusterRoleBinding"): _binding,
    (_RBAC, "Role"): _role,
    (_RBAC, "RoleBinding"): _binding,
    **{(policy.group, policy.kind): _foreign_policy for policy in FOREIGN_POLICIES},
}
_KNOWN_KINDS: Final = frozenset(kind for _, kind in _PROJECTORS)
