"""The command `mercat`, one file a group of commands. Empty, so that what it runs stays small."""
