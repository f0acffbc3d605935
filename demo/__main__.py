"""Runs the demo, or removes what it left.

Settings: DEMO_KUBECONFIG uses a cluster that exists instead of an embedded one; DEMO_IMAGE names the stand-in image
(demo/stand_in/Dockerfile) where that cluster can pull it.
"""

import os
import sys

from cluster_kit import ClusterError, TierUnavailableError
from demo.place import Place, forget, remember
from demo.scenario import DemoError, play


def main(argv: list[str]) -> int:
    """`up` or `down`; exit code 0 where all went well."""
    try:
        if argv == ["up"]:
            place = Place.find(os.environ.get("DEMO_KUBECONFIG", ""), os.environ.get("DEMO_IMAGE", ""))
            remember(place)
            play(place)
        elif argv == ["down"]:
            forget()
        else:
            print("usage: python -m demo up|down", file=sys.stderr)
            return 2
    except (ClusterError, TierUnavailableError, DemoError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: stopped; make demo-down removes the cluster", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
