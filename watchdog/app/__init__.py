"""Makes the parts out of the configuration, and connects them. No other package knows all of
them."""
