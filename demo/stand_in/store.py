"""Stands in for the store: starts, fails and becomes ready as the real one does; stores nothing.

With KUBECONFIG set it reads that file first and ends with exit code 1 where it is not there.
"""

import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

API_PORT = 8081
METRICS_PORT = 9181


def log(message: str, **fields: object) -> None:
    print(json.dumps({"level": "info", "logger": "datastorage", "msg": message, **fields}), flush=True)


class Api(BaseHTTPRequestHandler):
    """Health as the store of January 2026 answers it; nothing else exists."""

    def do_GET(self) -> None:
        healthy = self.path in {"/health", "/health/ready", "/health/live"}
        body = json.dumps({"status": "ready"} if healthy else {"status": 404}).encode()
        self.send_response(200 if healthy else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Probes come every second and say nothing new."""


def main() -> None:
    # As process 1 it would ignore the signal and make each rollout wait.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    kubeconfig = os.environ.get("KUBECONFIG")
    if kubeconfig:
        log("Using KUBECONFIG from environment (DD-AUTH-014)", kubeconfig_path=kubeconfig)
        try:
            os.stat(kubeconfig)
        except OSError as error:
            print(f"Error: stat {kubeconfig}: {error.strerror}", file=sys.stderr, flush=True)
            sys.exit(1)
    else:
        log("Using in-cluster config (DD-AUTH-014)")
    threading.Thread(target=ThreadingHTTPServer(("", METRICS_PORT), Api).serve_forever, daemon=True).start()
    ThreadingHTTPServer(("", API_PORT), Api).serve_forever()


main()
