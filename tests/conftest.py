"""Fixtures of all tests; those with a Kubernetes cluster are documented in cluster_kit/__init__.py."""

pytest_plugins = ["cluster_kit.pytest_plugin"]
