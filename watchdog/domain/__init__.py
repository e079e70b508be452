"""The rules. Pure: time comes in as an argument, nothing goes out but values."""
