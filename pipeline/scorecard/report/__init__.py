"""What a person looks at to judge a model: charts and the model card."""
