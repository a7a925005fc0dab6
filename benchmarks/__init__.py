"""The time and memory that dummyio takes, compared with the alternatives of its users: ``python -m benchmarks`` in a checkout."""
