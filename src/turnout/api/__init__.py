"""Our own paths, answered whatever the door: a request that was read in, a reply or a stream of events out."""
