"""``python -m autodub`` is the command ``autodub``."""

import sys

from autodub.cli import main

if __name__ == "__main__":
    sys.exit(main())
