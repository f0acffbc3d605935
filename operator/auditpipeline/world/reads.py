"""What a judgement looked at, so that a change wakes exactly those whose verdict it can alter.

Every look-up in a World leaves a key here while somebody records; a change to an object yields the keys under which it
could have been looked up. A pipeline's dependencies are thus the look-ups its own judgement made: nobody keeps a
second list that could drift from the checks.
"""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager

Key = Hashable
"""An opaque look-up: an object's reference, a namespace of a table, a label pair, a binding's subject."""


class Reads:
    """Records look-ups while `recording`. Not for use by several threads at once."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: set[Key] | None = None

    @property
    def recorded(self) -> bool:
        """Somebody records."""
        return self._keys is not None

    def note(self, key: Key) -> None:
        """A look-up was made."""
        if self._keys is not None:
            self._keys.add(key)

    @contextmanager
    def recording(self) -> Iterator[set[Key]]:
        """Collect the keys of all look-ups made inside the block."""
        outer, self._keys = self._keys, set()
        try:
            yield self._keys
        finally:
            self._keys = outer
