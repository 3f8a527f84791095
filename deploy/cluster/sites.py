"""``deploy/nginx.conf`` for elsewhere: the same site with other servers and another address.

``python -m deploy.cluster.sites`` writes those that are kept in files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

DEPLOY = Path(__file__).parents[1]
SITES = {
    DEPLOY / "compose" / "nginx.conf": (("api:5000",), "    listen 80;\n"),
}
"""File -> its servers, and what it listens at."""


def site(servers: Sequence[str], listen: str) -> str:
    """The site for these servers, ``host:port`` each; ``listen`` is the lines that say where it listens."""
    text = (DEPLOY / "nginx.conf").read_text()
    lines = "".join(f"    server {one} fail_timeout=2s;\n" for one in servers)
    text = replaced(text, "servers", (
        f"upstream autodub {{\n{lines}    keepalive 32;\n}}\n"
        f"upstream autodub_uploads {{\n    hash $remote_addr$http_authorization consistent;\n{lines}"
        "    keepalive 32;\n}\n"
    ))  # fmt: skip
    return replaced(text, "listen", listen)


def replaced(text: str, name: str, by: str) -> str:
    """A text with what is between ``# <name>`` and ``# </name>`` replaced."""
    before, _, rest = text.partition(f"# <{name}>")
    _, found, after = rest.partition(f"# </{name}>\n")
    if not found:
        raise ValueError(f"there is no part {name}")
    return f"{before.rstrip(' ')}{by}{after}"


def written(path: Path) -> str:
    """What is to be in one of the files."""
    servers, listen = SITES[path]
    return f"# Written by python -m deploy.cluster.sites from deploy/nginx.conf.\n{site(servers, listen)}"


if __name__ == "__main__":
    for one in SITES:
        one.write_text(written(one))
