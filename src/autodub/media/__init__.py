"""Sound and picture: probe, decode, render, mux, stretch, measure loudness."""
