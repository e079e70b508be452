"""The daemon's life: which replica is the leader, which targets are watched, and when each is
checked."""
