"""Exporting: one module per format, around one job that begins and ends each export."""
