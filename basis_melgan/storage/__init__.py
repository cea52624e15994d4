"""Files written atomically, SHA-256 hashes, resumable progress logs, folder walks and worker processes."""
