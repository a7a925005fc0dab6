"""Chooses the arguments that are fed."""
