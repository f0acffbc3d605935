"""Stands in for the gateway: reads its store URL once, at its start, and tries to reach the store.

The lines it logs are those of the real emitter, so `kubectl logs` shows what an investigation would have seen.
"""

import json
import re
import signal
import sys
import time
import urllib.error
import urllib.request


def log(level: str, message: str, **fields: object) -> None:
    print(json.dumps({"level": level, "logger": "audit.audit-store", "msg": message, **fields}), flush=True)


def main() -> None:
    # As process 1 it would ignore the signal and make each rollout wait.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    path = next(word.partition("=")[2] for word in sys.argv if word.startswith("--config="))
    with open(path, encoding="utf-8") as file:
        url = re.search(r'^\s*data_storage_url:\s*"?([^"\s]+)', file.read(), re.MULTILINE)
    base = url[1] if url else ""
    log("info", "Audit store initialized", service="gateway", buffer_size=30000, batch_size=1000)
    failing = True
    while True:
        try:
            urllib.request.urlopen(f"{base}/health", timeout=5).close()
            if failing:
                log("info", "DataStorage readiness gate started", ready=True)
            failing = False
        except (OSError, ValueError, urllib.error.URLError) as error:
            failing = True
            log("error", "Failed to write audit batch", attempt=1, batch_size=1, error=f"network error: {error}")
        time.sleep(5)


main()
