"""The JSON Schema of the config file, so that editors complete it and check it while it is written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from watchdog.model.base import format_duration
from watchdog.settings.form import ConfigForm

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _AsWritten(GenerateJsonSchema):
    """Defaults look as a person would write them: `10m`, not `PT10M`."""

    def encode_default(self, dft: Any) -> Any:
        """A default, as YAML has it."""
        if isinstance(dft, timedelta):
            return format_duration(dft)
        return {} if isinstance(dft, BaseModel) else super().encode_default(dft)


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of the config. It accepts what `load` accepts, as far as a schema can say it."""
    made = ConfigForm.model_json_schema(by_alias=True, schema_generator=_AsWritten)
    return {"$schema": DIALECT, **made, "title": "Deploy Watchdog config"}
