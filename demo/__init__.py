"""The demo: the gateway scenario on a real cluster, broken and mended. `make demo`, `make demo-down`."""
