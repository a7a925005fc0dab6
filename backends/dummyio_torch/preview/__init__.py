"""What an export of a module would do, before it is done: the files, and all that would stop it."""
