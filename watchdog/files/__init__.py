"""What several readers of files share, and how many files the process may have open."""
