"""`python -m vnquant`: the command line."""

import sys

from vnquant.cli import main

sys.exit(main())
