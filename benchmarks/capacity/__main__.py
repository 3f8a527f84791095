"""``python -m benchmarks.capacity measure|validate|run|write``; see the package."""

from __future__ import annotations

import argparse
from importlib import import_module

STEPS = {
    "measure": "benchmarks.capacity.measuring",
    "validate": "benchmarks.capacity.validating",
    "run": "benchmarks.capacity.scenarios",
    "write": "benchmarks.capacity.writing",
}
"""Step -> the module whose ``main`` does it."""


def main() -> None:
    """Do one step."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("step", choices=STEPS)
    import_module(STEPS[parser.parse_args().step]).main()


if __name__ == "__main__":
    main()
