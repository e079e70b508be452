"""Text: durations and times for people, secrets, host names, and text from outside made safe."""
