"""The hops: one module each, pure functions from a resolved pipeline to findings and unknowns."""
