"""The store ports, implemented in memory, in Redis, and (jobs, kept responses) in SQLite; see factory."""
