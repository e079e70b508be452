"""The daemon's life: who is the leader, what is watched, and when each target is checked."""
