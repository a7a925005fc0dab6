"""Reports of a validation for people and programs: terminal tables, an HTML page, JUnit XML, JSON."""
