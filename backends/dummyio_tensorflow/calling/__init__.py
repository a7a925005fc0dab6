"""Calling: a model of any kind as one function, frozen for converters; loading and silence around it."""
