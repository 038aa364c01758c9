"""The store ports, implemented in the process (memory) and shared (redis)."""
