"""Text for people: moments and durations in words, and text of others made safe."""
