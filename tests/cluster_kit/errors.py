"""What can go wrong outside a test's own assertions."""


class TierUnavailableError(Exception):
    """This machine cannot run the tier; the message is the reason a skipped test shows."""


class ClusterError(Exception):
    """A component did not start, or died; the message holds the tail of its log."""
