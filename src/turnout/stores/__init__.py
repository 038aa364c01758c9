"""The store ports, implemented in memory and in Redis; see factory."""
