"""Changes of a layout of several inputs or axes at once: sizes that follow from others, and containers."""
