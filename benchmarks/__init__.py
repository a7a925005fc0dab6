"""What dummyio costs, measured against what its users would use instead: ``python -m benchmarks`` in the checkout."""
