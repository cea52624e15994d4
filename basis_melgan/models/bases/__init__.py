"""Bases: atoms that a generator's weights are multiplied with and overlap-added."""
