"""The models of each library, and what they take."""
