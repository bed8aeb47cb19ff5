"""The console's pages: FastAPI and Jinja templates. ``pipeline.console`` says what they show, this who may see it."""
