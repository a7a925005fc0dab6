"""What a module is traced with, and at which sizes the result is compared with it."""
