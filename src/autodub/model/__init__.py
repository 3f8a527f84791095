"""Nouns: frozen values of the domain. Standard library only, no I/O."""
