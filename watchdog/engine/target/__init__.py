"""What happens to one target: a check, an attempt, an order of an operator."""
