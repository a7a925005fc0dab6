"""Modules, exported programs and ``.pt2`` files as functions of named NumPy feeds."""
