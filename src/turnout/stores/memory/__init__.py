"""The store ports in the memory of one process, exact within it."""
