"""The networks, their bases, and the files that hold them. Nothing here reads a command line or plays a sound."""
