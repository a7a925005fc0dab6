"""Runners of functions, Flax modules and exported functions."""
