"""What a run found out: the result, and how it is shown."""
