"""The checks of a validation: each yields findings."""
