"""How fast vocoders and peers are, and how many operations they take."""
