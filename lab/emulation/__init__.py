"""A network of real Linux network stacks on one machine, and what is played on it."""
