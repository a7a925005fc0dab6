"""Media tokens."""
