"""The command line: argv to a command's arguments, and what a mistake prints."""
