"""Builders of a World: from manifests, and from a live cluster."""
