"""For engine authors and tests: scripted fake engines, and one contract suite per role."""
