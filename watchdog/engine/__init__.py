"""What happens, in what order. Knows only the domain and its own ports."""
