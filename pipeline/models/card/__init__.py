"""The model card as a page: what a person looks at to judge a model. Drawn with ``pipeline.pages``."""
