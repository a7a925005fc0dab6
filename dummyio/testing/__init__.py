"""The conformance suite for backends, and the coherence checks of samples."""

from dummyio.testing.backend_conformance import BackendConformance, same_bits

__all__ = ["BackendConformance", "same_bits"]
