"""The conformance suite for backends."""

from dummyio.testing.backend_conformance import BackendConformance, same_bits

__all__ = ["BackendConformance", "same_bits"]
