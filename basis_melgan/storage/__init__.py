"""Files written atomically, hashes, resumable progress logs, and work shared among processes."""
