"""URLs, each taken apart by the library that uses it."""
