"""Measures of a finished dub, and the receipt they make."""
