"""Systems, their scores on a corpus, and comparisons."""
