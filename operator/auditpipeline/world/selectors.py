"""Label selectors, by the rules of the API server."""

from typing import Final

from auditpipeline.world.objects import Labels, Selector

CONTROLLER_LABELS: Final = frozenset(
    {
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-completion-index",
        "batch.kubernetes.io/job-name",
        "controller-revision-hash",
        "controller-uid",
        "job-name",
        "pod-template-generation",
        "pod-template-hash",
        "statefulset.kubernetes.io/pod-name",
    }
)
"""Labels that controllers put on pods beside those of the template."""


def matches(selector: Selector, labels: Labels) -> bool:
    """Whether labels meet every term. An empty selector matches everything; an unknown operator matches nothing."""
    for key, operator, values in selector:
        present = key in labels
        match operator:
            case "In":
                if not present or labels[key] not in values:
                    return False
            case "NotIn":
                # An absent key is not in the list.
                if present and labels[key] in values:
                    return False
            case "Exists":
                if not present:
                    return False
            case "DoesNotExist":
                if present:
                    return False
            case _:
                return False
    return True


def contains(labels: Labels, wanted: Labels) -> bool:
    """Whether `labels` hold every pair of `wanted`, the equality selector of Services."""
    return all(labels.get(key) == value for key, value in wanted.items())
