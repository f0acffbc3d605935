"""The watched objects as a World, fed change by change.

It outlives a restart of kopf, so a relist never shows as missing objects. An object that cannot be read is state, not
an exception: it is said once and counts as absent.
"""

import logging

from auditpipeline.api.findings import ObjectRef
from auditpipeline.controller.changes import Change
from auditpipeline.controller.logs import about
from auditpipeline.world.reads import Key
from auditpipeline.world.world import World

logger = logging.getLogger(__name__)


class Cache:
    """Applies changes of watched objects to a World, and says which look-ups may answer differently now."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._complaints: dict[ObjectRef, str] = {}

    def apply(self, change: Change) -> set[Key]:
        """Take an accepted change in; the keys of the look-ups that it may alter, none if it alters nothing."""
        if not change.malformed:
            self._complaints.pop(change.ref, None)
        if change.value is not None:
            return self.world.put(change.value)
        if change.malformed and self._complaints.get(change.ref) != change.malformed:
            # Said once for each fault: the object may change often without getting better.
            self._complaints[change.ref] = change.malformed
            logger.warning("cannot read the object, so it counts as absent: %s", change.malformed, extra=about(change.ref))
        return self.forget(change.ref)

    def forget(self, ref: ObjectRef) -> set[Key]:
        """The object is gone; the keys of the look-ups that this may alter."""
        if self.world.find(ref) is None:
            return set()
        return self.world.drop(ref)
