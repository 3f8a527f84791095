"""The one door: every engine call passes here to be kept, shared, retried, metered and announced."""
