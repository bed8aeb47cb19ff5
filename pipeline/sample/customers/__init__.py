"""The customers of the sample utility: who they are, how they behave, and how they come and go."""
