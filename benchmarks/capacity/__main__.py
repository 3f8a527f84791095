"""``python -m benchmarks.capacity measure|validate|run [PART...]|write``; see the package."""

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
    parser.add_argument("parts", nargs="*", help="of run: simulate only these anew, such as scale")
    asked = parser.parse_args()
    if asked.parts and asked.step != "run":
        parser.error("only run has parts")
    do = import_module(STEPS[asked.step]).main
    do(asked.parts) if asked.parts else do()


if __name__ == "__main__":
    main()
