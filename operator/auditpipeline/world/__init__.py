"""Kubernetes objects as small typed values, and an indexed, read-only collection of them."""
