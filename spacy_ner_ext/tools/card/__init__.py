"""What others need to know of a pipeline: its model card."""
