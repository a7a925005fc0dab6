"""What an export would do, before it is done: its plan, and all that would stop it."""
