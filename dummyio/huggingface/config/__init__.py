"""Reads configurations, with the defaults and computed attributes of their classes."""
