"""Figures about Autodub that anybody can take again: synchrony, cost, crash safety."""
