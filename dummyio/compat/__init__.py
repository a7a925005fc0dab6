"""The interfaces of other libraries, on top of dummyio's descriptions."""
