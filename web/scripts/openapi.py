"""Print the server's own OpenAPI document: of an app over an empty data directory, with nothing served."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from autodub.infra import server_settings, settings
from autodub.jobs.platform import Platform
from autodub.web.app import create_app
from autodub.web.document import document


def main() -> None:
    """Write the document to standard output, always with the same bytes for the same routes."""
    with TemporaryDirectory() as folder:
        known = settings.load(environ={"HOME": folder}, data_dir=Path(folder) / "data")
        platform = Platform(known, server_settings.load(known, environ={}, given={"spare": 0}))
        try:
            app = create_app(platform)
            with app.app_context():
                json.dump(document(), sys.stdout, sort_keys=True)
        finally:
            platform.close()


if __name__ == "__main__":
    main()
