"""dummyio."""
