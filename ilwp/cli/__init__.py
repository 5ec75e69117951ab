"""The command line: one module a group of commands, and all text that a command prints."""
