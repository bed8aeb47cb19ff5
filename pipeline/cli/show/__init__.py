"""How the command line shows what is more than a table."""
