"""The results of a validation as data: records, and the report that collects them."""
