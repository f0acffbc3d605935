"""`python -m auditpipeline`."""

import sys

from auditpipeline.cli.main import main

sys.exit(main())
