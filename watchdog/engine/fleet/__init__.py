"""What concerns all targets together: the breaker, the API, the list of models."""
