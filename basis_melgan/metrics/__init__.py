"""How near a wave is to its recording, and how it sounds by itself: every metric, and the table of all of them."""
