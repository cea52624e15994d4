"""The basis, the networks, and the files that carry them."""
