"""The JSON Schema of a study file, by which editors complete keys and mark mistakes.

``python -m assay.study.schema`` writes it anew; a test holds the file to the models.
"""

import json
from pathlib import Path
from typing import Any

from assay.study.plans import Study

SCHEMA = Path(__file__).with_name("study.schema.json")
_DEFAULTED = {
    "Study": {"name"},  # the file's own name
    "Plan": {"metric", "smallest_effect"},  # the task's
    "ImagePlan": {"height", "width", "channels"},  # those of images
}


def study_schema() -> dict[str, Any]:
    """Return what a study file may contain; what is not declared there has a default elsewhere."""
    schema = Study.model_json_schema()
    del schema["properties"]["overrides"]
    for name, keys in _DEFAULTED.items():
        record = schema if name == "Study" else schema["$defs"][name]
        record["required"] = [key for key in record["required"] if key not in keys]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


def schema_text() -> str:
    """Return the schema as the file has it."""
    return json.dumps(study_schema(), ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(schema_text(), encoding="utf-8")
