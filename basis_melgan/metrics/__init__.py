"""Metrics of a wave, against its recording or by itself, and the table of all of them."""
