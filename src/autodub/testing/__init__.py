"""Contract suites and fakes for engine authors; ships in the wheel."""
