"""Files that a proof runs: in a process of their own, which a crash, memory or time end alone."""
