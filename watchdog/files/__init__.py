"""What the readers of files share: the configuration, the key, the emulator's scenario."""
