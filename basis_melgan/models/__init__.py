"""Networks, bases and model files."""
