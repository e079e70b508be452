"""What all sections of the configuration have in common."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True
    )

    @model_validator(mode="before")
    @classmethod
    def _given(cls, value: object) -> object:
        """An empty value is one that was not given: somebody may have turned all that was below it
        into comments. A section that must be given may be empty."""
        if value is None:
            return {}
        if not isinstance(value, Mapping) or None not in value.values():
            return value
        return {key: each for key, each in value.items() if each is not None or cls._keeps(key)}

    @classmethod
    def _keeps(cls, key: str) -> bool:
        """Whether an empty value is judged: of an unknown setting, and of a section."""
        field = cls.model_fields.get(key)
        return field is None or _is_section(field.annotation)


def _is_section(shape: object) -> bool:
    return isinstance(shape, type) and issubclass(shape, Section)
