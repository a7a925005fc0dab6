"""Exporters: one module per format or route, and the steps that they share."""
