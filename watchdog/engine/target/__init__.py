"""What happens to one target: a check, an attempt, an action of an operator."""
