"""The command line: its commands, and the parsing of their arguments."""
