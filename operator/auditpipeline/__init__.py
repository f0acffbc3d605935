"""Every reason why audit events do not land, at once.

One core (`world`, `wiring`, `checks`, `verdict`) serves the operator, the CLI and the guard; I/O stands only in
`views`, `probes`, `controller` and `cli`. Imports point one way; import-linter holds it.
"""

__version__ = "0.1.0"
