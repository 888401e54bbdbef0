# SPDX-License-Identifier: GPL-3.0-only
"""`python -m harness.cli` is `harness`."""

import sys

from harness.cli.program import main

sys.exit(main())
