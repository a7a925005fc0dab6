"""Model config."""
