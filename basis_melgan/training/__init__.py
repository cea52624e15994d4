"""Losses, optimizers, both stages, and the loop that trains them."""
