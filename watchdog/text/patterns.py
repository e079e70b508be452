"""The patterns that some values from outside must match as a whole."""

MODEL_ID = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
HOST = r"^(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$"

NOT_MATCHED = {
    MODEL_ID: "is no model id: letters, digits, - and _, at most 64, as in the model's URL",
    HOST: "is no host name, such as watchdog.example.com or *.example.com",
}
"""What to say of a value that does not match."""
