"""The API server: its kinds, and requests to it."""
