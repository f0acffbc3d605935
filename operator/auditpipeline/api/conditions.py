"""Condition types of an AuditPipeline, in the order in which an audit event meets them."""

from enum import StrEnum
from typing import Final


class ConditionType(StrEnum):
    """One hop of the path from emitter to readable row; `Ready` sums them up."""

    CONFIG_RESOLVED = "ConfigResolved"
    SERVICE_RESOLVED = "ServiceResolved"
    ENDPOINTS_READY = "EndpointsReady"
    ENVIRONMENT_CLEAN = "EnvironmentClean"
    IDENTITY_BOUND = "IdentityBound"
    ACCESS_GRANTED = "AccessGranted"
    NETWORK_ALLOWED = "NetworkAllowed"
    SETTINGS_FIT = "SettingsFit"
    READY = "Ready"

    @property
    def question(self) -> str:
        """What the hop asks, for people."""
        return _QUESTIONS[self]


    @property
    def affirmation(self) -> str:
        """The answer when the hop is in order."""
        return _AFFIRMATIONS[self]


_QUESTIONS: Final = {
    ConditionType.CONFIG_RESOLVED: "Is a store URL set where the emitter really reads it, and are the ConfigMaps and keys there?",
    ConditionType.SERVICE_RESOLVED: "Does the host name a real Service that exposes the URL's port?",
    ConditionType.ENDPOINTS_READY: "Does the Service select the store's pods, and are there ready endpoints?",
    ConditionType.ENVIRONMENT_CLEAN: "Does nothing of a developer's or CI host leak into the pods?",
    ConditionType.IDENTITY_BOUND: "Does each pod run as a ServiceAccount that exists, with its token mounted?",
    ConditionType.ACCESS_GRANTED: "Does the store's access review say yes to that ServiceAccount?",
    ConditionType.SETTINGS_FIT: "Do the emitter's batch, time-outs, probes and grace period fit what the store accepts?",
    ConditionType.NETWORK_ALLOWED: "Do NetworkPolicies let the emitter reach the store and DNS, and the store what it needs?",
    ConditionType.READY: "Are all hops in order?",
}

_AFFIRMATIONS: Final = {
    ConditionType.CONFIG_RESOLVED: "Each emitter's store URL is set where the emitter reads it.",
    ConditionType.SERVICE_RESOLVED: "Each store URL names the store's Service and a port that it exposes.",
    ConditionType.ENDPOINTS_READY: "The Service leads to the store's pods.",
    ConditionType.ENVIRONMENT_CLEAN: "Nothing of a developer's or CI host leaks into the pods.",
    ConditionType.IDENTITY_BOUND: "Each pod runs as a ServiceAccount that exists.",
    ConditionType.ACCESS_GRANTED: "The store lets each emitter in.",
    ConditionType.SETTINGS_FIT: "Nothing in the emitter's settings is known to lose events.",
    ConditionType.NETWORK_ALLOWED: "No NetworkPolicy stands between an emitter and the store.",
    ConditionType.READY: "All hops are in order; no event has been read back yet.",
}

HOPS: Final = tuple(condition for condition in ConditionType if condition is not ConditionType.READY)
"""The hops this version judges, in path order."""


RECONCILING: Final = "Reconciling"
STALLED: Final = "Stalled"
SUSPENDED: Final = "Suspended"
"""Abnormal-true conditions of kstatus: present only while True, never both of the first two."""


class Status(StrEnum):
    """Status of a condition, as in metav1.Condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"
