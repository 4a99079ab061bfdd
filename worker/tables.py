"""The tables of a TOML file as models: what is wrong with a key is told by its name, in words."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ModelWrapValidatorHandler,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from worker.errors import ConfigError
from worker.paths import place, read_toml

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Where = tuple[int | str, ...]


class Table(BaseModel):
    """A table with keys of its own; any other key is refused.

    What is wrong with a field is told by its ``description``, in which ``{value}`` stands for what
    was written. A validator that raises ``ValueError`` has words of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="wrap")
    @classmethod
    def _in_words(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            raise located((p["loc"], cls._words(p)) for p in error.errors()) from None

    @classmethod
    def _words(cls, problem: ErrorDetails) -> str:
        kind, where = problem["type"], problem["loc"]
        fields = {info.alias or name: info for name, info in cls.model_fields.items()}
        if kind in ("told", "value_error"):
            return _told(problem)
        if kind == "extra_forbidden":
            return f"not known here; known are {', '.join(sorted(fields))}"
        if kind in ("enum", "literal_error") and where[-1] == "[key]":
            return f"not known here; known are {problem['ctx']['expected']}"
        if not where:
            return f"write it as a table with {', '.join(fields)}"
        value = None if kind == "missing" else problem["input"]
        return (fields[str(where[0])].description or problem["msg"]).format(value=repr(value))


T = TypeVar("T", bound=Table)


def located(problems: Iterable[tuple[Where, str]]) -> ValidationError:
    """What a validator raises that has something to say of several keys below its own."""
    details = [
        InitErrorDetails(
            type=PydanticCustomError("told", "{words}", {"words": words}), loc=where, input=None
        )
        for where, words in problems
    ]
    return ValidationError.from_exception_data("table", details)


def every(keys: type[StrEnum]) -> BeforeValidator:
    """Each of ``keys`` has to be in the table: one that is missing is told as ``None`` is."""

    def whole(data: Any) -> Any:
        return {**dict.fromkeys(map(str, keys)), **data} if isinstance(data, dict) else data

    return BeforeValidator(whole)


def read(model: type[T], data: Any) -> tuple[T | None, list[str]]:
    """The ``data`` of a TOML file as a ``model``, or everything that is wrong with it, each as
    ``key: what is wrong``."""
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, [f"{_key(p['loc'])}: {_told(p)}" for p in error.errors()]


def read_file(model: type[T], path: Path) -> tuple[T | None, list[str]]:
    """The same of a file, each problem with its file and line. Raises ``ConfigError`` if it is no
    TOML file at all."""
    found, problems = read(model, read_toml(path))
    return found, [place(path, problem) for problem in problems]


def wrong(heading: str, problems: Iterable[str]) -> ConfigError:
    """The error that lists ``problems``."""
    return ConfigError("\n  ".join([heading, *problems]), "Correct these keys and try again.")


def _told(problem: ErrorDetails) -> str:
    own = problem["type"] == "value_error"
    return str(problem["ctx"]["error"]) if own else problem["msg"]


def _key(where: Where) -> str:
    return ".".join(part for part in where if isinstance(part, str) and part != "[key]")
