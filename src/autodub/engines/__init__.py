"""Engines: whatever is slow, paid or fallible, one module each, behind a role."""
