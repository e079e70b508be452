"""The rules, as pure functions: they take the time as an argument and only return values."""
