"""Hands: one module per outside thing (settings, processes, files, database)."""
