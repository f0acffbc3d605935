"""Every reason a condition can carry: the one place where it is declared and documented.

A reason is part of the API: it is never renamed or given another meaning. `auditpipeline explain REASON` and the
documentation are generated from this module.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

from auditpipeline.api.conditions import ConditionType as C


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "Error"
    """Events are lost, or a pod cannot start or never becomes ready."""
    WARNING = "Warning"
    """Latent or degraded."""
    INFO = "Info"
    """Worth knowing."""


class Gap(StrEnum):
    """Why a hop cannot be judged, and what that means for Ready."""

    AWAITED = "awaited"
    """An answer is on its way: Ready waits for it."""
    UNJUDGEABLE = "unjudgeable"
    """No answer will come in this world: counted and named, but Ready is not held back."""


@dataclass(frozen=True, slots=True)
class _Facts:
    value: str
    check: C | None
    weight: Severity | Gap
    doc: str
    settles: bool = False
    live: bool = False
    explained_by: tuple[str, ...] = ()


def _error(value: str, check: C, doc: str, *, settles: bool = False, live: bool = False, explained_by: tuple[str, ...] = ()) -> _Facts:
    return _Facts(value, check, Severity.ERROR, doc, settles, live, explained_by)


def _warning(value: str, check: C, doc: str) -> _Facts:
    return _Facts(value, check, Severity.WARNING, doc)


def _gap(value: str, check: C | None, doc: str, *, awaited: bool = False) -> _Facts:
    return _Facts(value, check, Gap.AWAITED if awaited else Gap.UNJUDGEABLE, doc)


# What keeps the store's pods from becoming ready: the reasons that explain an endpoint list without ready addresses.
_STORE_DOWN: Final = ("HostPathEnv", "HostPathArg", "HostPathVolume", "ServiceAccountNotFound", "ScaledToZero", "WorkloadNotFound")


class Reason(Enum):
    """A reason with its check, weight and documentation."""

    URL_NOT_FOUND = _error("URLNotFound", C.CONFIG_RESOLVED, "No store URL is set in any place the emitter reads.", settles=True)
    CONFIG_MAP_NOT_FOUND = _error("ConfigMapNotFound", C.CONFIG_RESOLVED, "The ConfigMap that should hold the URL does not exist.", settles=True)
    CONFIG_MAP_KEY_NOT_FOUND = _error("ConfigMapKeyNotFound", C.CONFIG_RESOLVED, "The ConfigMap exists, but not the key that is read.", settles=True)
    CONFIG_PATH_NOT_FOUND = _error(
        "ConfigPathNotFound", C.CONFIG_RESOLVED, "The configuration file exists, but has no value at the path of the URL.", settles=True
    )
    CONFIG_UNPARSABLE = _error("ConfigUnparsable", C.CONFIG_RESOLVED, "The value is binary, too large or no valid YAML or JSON, so the path cannot be read.")
    URL_INVALID = _error(
        "URLInvalid", C.CONFIG_RESOLVED, "The value is no http or https URL with a host that DNS could answer and without the path that the client appends."
    )
    PLACEHOLDER_IN_URL = _error("PlaceholderInURL", C.CONFIG_RESOLVED, "A placeholder such as ${NAMESPACE} was never substituted.")
    KEY_NOT_READ = _error(
        "KeyNotRead", C.CONFIG_RESOLVED, "The URL stands under a key that the emitter does not read; programs drop unknown keys silently."
    )
    CONFIG_FILE_NOT_MOUNTED = _error(
        "ConfigFileNotMounted", C.CONFIG_RESOLVED, "An argument or variable names a configuration file that no volume of the container provides."
    )
    CONFIG_NOT_RELOADED = _error(
        "ConfigNotReloaded",
        C.CONFIG_RESOLVED,
        "A running container started before the URL it uses last changed, and nothing is known to reload it. Restart the workload.",
        live=True,
    )
    URL_SOURCES_DISAGREE = _warning("URLSourcesDisagree", C.CONFIG_RESOLVED, "The URL is set in several places with different values; one of them wins.")
    SOURCE_IS_SECRET = _gap("SourceIsSecret", C.CONFIG_RESOLVED, "The URL comes from a Secret, and Secrets are never read.")

    SERVICE_NOT_FOUND = _error("ServiceNotFound", C.SERVICE_RESOLVED, "The URL's host names a Service that does not exist.", settles=True)
    SERVICE_IN_OTHER_NAMESPACE = _error(
        "ServiceInOtherNamespace", C.SERVICE_RESOLVED, "A Service of that name exists, but in another namespace than the URL says."
    )
    SHORT_NAME_ACROSS_NAMESPACES = _error(
        "ShortNameAcrossNamespaces",
        C.SERVICE_RESOLVED,
        "A host without a namespace is looked up in the emitter's own namespace; the Service stands in another one.",
    )
    PORT_NOT_EXPOSED = _error("PortNotExposed", C.SERVICE_RESOLVED, "The Service does not expose the URL's port.")
    SERVICE_NOT_THE_STORE = _error(
        "ServiceNotTheStore", C.SERVICE_RESOLVED, "The URL leads to a Service that exists, but that is not the pipeline's store."
    )
    SCHEME_MISMATCH = _error("SchemeMismatch", C.SERVICE_RESOLVED, "The URL's scheme, http or https, is not the one that the port speaks.")
    LOOPBACK_HOST = _error("LoopbackHost", C.SERVICE_RESOLVED, "localhost inside a pod is the pod itself, and a host gateway name works on one machine only.")
    CLUSTER_DOMAIN_MISMATCH = _error(
        "ClusterDomainMismatch", C.SERVICE_RESOLVED, "The host ends in another cluster domain than this cluster's, so its name does not resolve."
    )
    CLUSTER_DNS_NOT_USED = _error(
        "ClusterDNSNotUsed",
        C.SERVICE_RESOLVED,
        "The emitter's pods look names up without the cluster's search path, so the URL's host, which leaves out the domain, is not found.",
    )
    HOST_IS_ADDRESS = _warning("HostIsAddress", C.SERVICE_RESOLVED, "The URL uses an address; it breaks when the Service is made anew.")
    EXTERNAL_HOST = _gap("ExternalHost", C.SERVICE_RESOLVED, "The host lies outside the cluster, so its wiring cannot be judged here.")
    EXTERNAL_NAME_SERVICE = _gap("ExternalNameService", C.SERVICE_RESOLVED, "The Service is an alias for a name outside the cluster.")
    NOT_PERMITTED = _gap("NotPermitted", C.SERVICE_RESOLVED, "The store's namespace has not opted in to references from this namespace.")

    SELECTOR_MATCHES_NOTHING = _error(
        "SelectorMatchesNothing", C.ENDPOINTS_READY, "The Service's selector matches no pod, so it has no endpoints.", settles=True
    )
    SELECTOR_MISSING = _error("SelectorMissing", C.ENDPOINTS_READY, "The Service has neither a selector nor an EndpointSlice made for it.")
    TARGET_PORT_NOT_SERVED = _error("TargetPortNotServed", C.ENDPOINTS_READY, "The Service's targetPort is not a port of the pods it selects.")
    SCALED_TO_ZERO = _error("ScaledToZero", C.ENDPOINTS_READY, "The store's workload asks for no replica.")
    NO_READY_ENDPOINTS = _error(
        "NoReadyEndpoints", C.ENDPOINTS_READY, "No pod behind the Service is ready.", settles=True, live=True, explained_by=_STORE_DOWN
    )

    HOST_PATH_ENV = _error("HostPathEnv", C.ENVIRONMENT_CLEAN, "An environment variable points to a path of a developer's or CI machine that nothing mounts.")
    HOST_PATH_ARG = _error("HostPathArg", C.ENVIRONMENT_CLEAN, "An argument points to a path of a developer's or CI machine that nothing mounts.")
    HOST_PATH_VOLUME = _error("HostPathVolume", C.ENVIRONMENT_CLEAN, "A hostPath volume mounts a developer's directory.")
    API_SERVER_OVERRIDDEN = _warning(
        "APIServerOverridden", C.ENVIRONMENT_CLEAN, "KUBERNETES_SERVICE_HOST or _PORT is set by hand, so API calls may go elsewhere."
    )

    WORKLOAD_NOT_FOUND = _error("WorkloadNotFound", C.IDENTITY_BOUND, "The workload that the pipeline names does not exist.", settles=True)
    SERVICE_ACCOUNT_NOT_FOUND = _error(
        "ServiceAccountNotFound", C.IDENTITY_BOUND, "The pods' ServiceAccount does not exist, so no pod can be created.", settles=True
    )
    DEFAULT_SERVICE_ACCOUNT = _warning("DefaultServiceAccount", C.IDENTITY_BOUND, "The pods run as `default`, an identity shared by the namespace.")
    TOKEN_NOT_MOUNTED = _error("TokenNotMounted", C.IDENTITY_BOUND, "No ServiceAccount token is mounted, so the emitter cannot authenticate.")

    BINDING_MISSING = _error("BindingMissing", C.ACCESS_GRANTED, "No binding gives the emitter's ServiceAccount the store access.", settles=True)
    SUBJECT_MISMATCH = _error("SubjectMismatch", C.ACCESS_GRANTED, "A binding to the right role exists, but its subject has another name or namespace.")
    ROLE_NOT_FOUND = _error("RoleNotFound", C.ACCESS_GRANTED, "A binding names the ServiceAccount, but its role does not exist.", settles=True)
    VERB_MISSING = _error("VerbMissing", C.ACCESS_GRANTED, "The role that is bound lacks a verb that the store asks for.")
    RESOURCE_NAME_MISMATCH = _error("ResourceNameMismatch", C.ACCESS_GRANTED, "The role that is bound names another resource than the store asks for.")
    BINDING_IN_OTHER_NAMESPACE = _error(
        "BindingInOtherNamespace", C.ACCESS_GRANTED, "The RoleBinding stands in another namespace than the store asks in; it grants only in its own."
    )
    GROUP_SUBJECT_IGNORED = _error("GroupSubjectIgnored", C.ACCESS_GRANTED, "A binding names a group, but the store's review carries the user alone.")
    REVIEW_NAMESPACE_MISMATCH = _error(
        "ReviewNamespaceMismatch",
        C.ACCESS_GRANTED,
        "The store asks its access reviews in another namespace than its own, where the emitters are not bound.",
    )
    ACCESS_DENIED = _error("AccessDenied", C.ACCESS_GRANTED, "The API server's access review says no, though the rules seem to allow it.", live=True)
    STORE_CANNOT_REVIEW = _error("StoreCannotReview", C.ACCESS_GRANTED, "The store's own ServiceAccount may not create token or access reviews.")

    EGRESS_DENIED = _error(
        "EgressDenied", C.NETWORK_ALLOWED, "The NetworkPolicies that select the emitter do not let it send to the store's pods on that port."
    )
    INGRESS_DENIED = _error(
        "IngressDenied", C.NETWORK_ALLOWED, "The NetworkPolicies that select the store's pods do not let the emitter in on that port."
    )
    DNS_DENIED = _error(
        "DNSDenied", C.NETWORK_ALLOWED, "The NetworkPolicies that select the emitter admit no DNS server, so the store's name is not found."
    )
    STORE_EGRESS_DENIED = _error(
        "StoreEgressDenied", C.NETWORK_ALLOWED, "The NetworkPolicies that select the store keep it from DNS or from the API server."
    )
    POLICY_UNDETERMINED = _gap(
        "PolicyUndetermined",
        C.NETWORK_ALLOWED,
        "Whether a NetworkPolicy admits the connection depends on what no manifest shows: addresses, host network, other policy APIs.",
    )

    BATCH_EXCEEDS_LIMIT = _warning("BatchExceedsLimit", C.SETTINGS_FIT, "A full batch is larger than what the store takes; it is refused whole and lost.")
    BATCH_EXCEEDS_BUFFER = _warning("BatchExceedsBuffer", C.SETTINGS_FIT, "The batch is larger than the buffer; the client refuses that and uses its defaults.")
    PROBE_BYPASSES_GATE = _warning(
        "ProbeBypassesGate",
        C.SETTINGS_FIT,
        "The readiness probe asks the liveness path, so the pod counts as ready while its own gate still waits for the store.",
    )
    PROBE_MISCONFIGURED = _warning(
        "ProbeMisconfigured", C.SETTINGS_FIT, "A probe asks a port or path that nothing serves, or runs what is no command, so it can only fail."
    )
    GRACE_PERIOD_TOO_SHORT = _warning("GracePeriodTooShort", C.SETTINGS_FIT, "The pod may be killed before its last flush has ended.")
    TIMEOUT_TOO_SHORT = _warning("TimeoutTooShort", C.SETTINGS_FIT, "The emitter gives up before the store can have asked its two reviews.")
    PORT_COLLISION = _warning("PortCollision", C.SETTINGS_FIT, "Two containers of a pod declare the same port; only one can listen on it.")

    FORBIDDEN = _gap("Forbidden", None, "The permission to read the objects of this hop is missing.")
    NOT_IN_INPUT = _gap("NotInInput", None, "The manifests do not hold the objects of this hop, so nothing can be said about them.")
    NOT_YET_CHECKED = _gap("NotYetChecked", None, "The hop has not been checked yet.", awaited=True)
    CONTRACT_UNDETERMINED = _gap("ContractUndetermined", None, "Several store versions are possible, and they differ on this hop. Set spec.contract.")
    PASSED = _Facts("Passed", None, Severity.INFO, "The hop is in order.")
    WAIVED = _Facts("Waived", None, Severity.INFO, "All errors of the hop are waived.")
    WIRED_NOT_PROVED = _Facts("WiredNotProved", None, Severity.INFO, "All hops are in order; no event has been read back yet.")
    SUSPENDED = _gap("Suspended", None, "The pipeline is suspended by its spec.")
    INPUT_UNREADABLE = _Facts("InputUnreadable", None, Severity.ERROR, "A file that looks like a Kubernetes manifest cannot be read.")

    check: C | None
    weight: Severity | Gap
    doc: str
    settles: bool
    live: bool
    explained_by: tuple[str, ...]

    def __new__(cls, facts: _Facts) -> "Reason":  # noqa: PYI034  (an enum has no subclasses)
        """The facts become attributes; the reason's text is the value."""
        member = object.__new__(cls)
        member._value_ = facts.value
        member.check = facts.check
        member.weight = facts.weight
        member.doc = facts.doc
        member.settles = facts.settles
        member.live = facts.live
        member.explained_by = facts.explained_by
        return member

    def __str__(self) -> str:
        return str(self.value)

    @property
    def severity(self) -> Severity:
        """The finding's severity; only for reasons that are no gaps."""
        if not isinstance(self.weight, Severity):
            raise TypeError(f"{self.value} makes a hop Unknown; it is no finding")
        return self.weight

    @property
    def awaited(self) -> bool:
        """An answer is on its way, so Ready is held back."""
        return self.weight is Gap.AWAITED


def blocked_by(condition: C) -> str:
    """The reason of a hop that cannot be judged, or is explained, because of `condition`."""
    return f"BlockedBy{condition}"
