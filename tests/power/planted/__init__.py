"""Exports with a defect planted in each, and sound ones: what a validation must find, and what it must let pass."""
