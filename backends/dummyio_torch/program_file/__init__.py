"""``.pt2`` files: read without running anything in them, checked first, and written so that a full disk is an error."""
