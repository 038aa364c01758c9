"""The store ports in Redis, shared by every process on every host that uses it."""
