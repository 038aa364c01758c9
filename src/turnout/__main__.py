"""`python -m turnout`: the `turnout` command, where its script is not on the path."""

import sys

from turnout.cli import main

sys.exit(main())
