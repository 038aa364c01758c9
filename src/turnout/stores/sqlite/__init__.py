"""Jobs in one SQLite file: durable without any server, shared by the processes of one host."""
