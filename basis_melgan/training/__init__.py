"""Losses, steps, and the engine that runs them."""
