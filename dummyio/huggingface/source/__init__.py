"""Finds, parses and evaluates Python source text, without importing it."""
