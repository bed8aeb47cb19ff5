"""Speed and memory of a month; see __main__.py."""
