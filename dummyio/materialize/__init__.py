"""Values from specs."""
