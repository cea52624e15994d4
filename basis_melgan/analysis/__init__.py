"""What a separator and its basis learned."""
