"""The daemon's life: which replica is active, which targets are watched, and when each is
checked."""
