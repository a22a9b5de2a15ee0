"""What a request holds and what is answered, for ``/openapi.json``."""

from typing import Any

from pydantic import BaseModel, Field

from assay.predict.schema import Column, Form
from assay.serve.rows import most_rows

_TYPES = {"boolean": "boolean", "number": "number", "whole": "number"}


class Health(BaseModel):
    """That it answers, and for what."""

    status: str
    study: str
    plan: str


class Predicted(BaseModel):
    """What is predicted of one row."""

    row: int = Field(description="Its number in the request, from 1.")
    prediction: str | float
    probabilities: dict[str, float] = Field(
        description="Of each class; empty where a number is predicted."
    )
    remarks: str = Field(
        description="What is outside of what training saw; empty where nothing is."
    )


class Answer(BaseModel):
    """What is predicted of every row, in the order of the request."""

    rows: list[Predicted]


class Refusal(BaseModel):
    """Why nothing is predicted."""

    detail: str = Field(description="A sentence.")
    problems: list[str] | None = Field(
        None, description="The first problems with cells, where there are several."
    )


def label(form: Form) -> str:
    """Return what is predicted, on one line."""
    return " ".join(form.label.split())


def body_schema(form: Form) -> dict[str, Any]:
    """Return the description of a request's body: rows with a cell for each column that prediction needs."""
    names = [column.name for column in form.columns]
    row = {
        "type": "object",
        "required": names,
        "properties": {column.name: _cell(column) for column in form.columns},
    }
    rows = {"type": "array", "minItems": 1, "maxItems": most_rows(form), "items": row}
    table = {
        "type": "object",
        "required": ["rows"],
        "properties": {"rows": rows},
        "additionalProperties": False,
    }
    return {"required": True, "content": {"application/json": {"schema": table}}}


def _cell(column: Column) -> dict[str, Any]:
    return {"type": [_TYPES.get(column.kind, "string"), "null"]}
