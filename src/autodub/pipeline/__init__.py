"""The dub itself: plan, then one plain function."""
