"""Comparing two models: the cases, one run of both, the metrics of two arrays, and the tolerance."""
