"""The report: one HTML file, to look at and to listen to, of what `compare` measured."""
