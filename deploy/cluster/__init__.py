"""The whole of Autodub on one machine as on many: what ``make cluster``, a test and a benchmark start."""
