"""The art: pure functions over the model; no I/O. Where the quality of a dub is decided."""
