"""One module a page: what it takes from the address, what it asks ``pipeline.console`` for, which template shows it."""
