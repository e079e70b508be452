"""The JSON Schema of the configuration file."""

from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from watchdog.config.model import Config
from watchdog.text.duration import format_duration


class _Generator(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        # Pydantic would write ISO 8601, which the file does not take.
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def json_schema() -> dict[str, Any]:
    """For editors; the defaults that depend on the machine are left out."""
    dialect = {"$schema": GenerateJsonSchema.schema_dialect}
    return dialect | Config.model_json_schema(schema_generator=_Generator)
