"""Reports of a validation for people and machines: a terminal's tables, a page of HTML, JUnit's XML."""
