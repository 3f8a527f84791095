"""Where the providers' own descriptions lie, if they are on this machine."""

from pathlib import Path

_FOLDER = Path(__file__).resolve().parents[3] / "shared" / "specs"
SPECS = _FOLDER if _FOLDER.is_dir() else None
"""Folder of ``<provider>/openapi.json``; without it requests are not checked against them."""
