"""The transcripts of tests/wire, and what holds them against the types of an official SDK.

Answers are checked in pydantic's strict mode: a number in a string is none. What the types do not have is an error too, though the
SDKs let it pass. Requests are TypedDicts; `strictly` makes those of an SDK as strict."""

import functools
import json
import pathlib
import sys

import pydantic
import typing_extensions

WIRE = pathlib.Path(__file__).parent.parent / "wire"


def found(pattern, least=10):
    """Case and text of all files that one rule is about."""
    files = sorted(WIRE.glob(pattern))
    assert len(files) >= least, f"{pattern}: {len(files)}"
    return [(f"{file.parent.parent.name}/{file.parent.name}", file.read_text()) for file in files]


def events(text):
    """The blocks of a stream as (name, data); the name is None where there is none."""
    for block in text.removesuffix("\n\n").split("\n\n"):
        *name, data = block.split("\n")
        assert len(name) < 2 and data.startswith("data: "), block
        yield (name[0].removeprefix("event: ") if name else None, data.removeprefix("data: "))


def strangers(value, at=""):
    """Where an answer says what its type does not know."""
    if isinstance(value, pydantic.BaseModel):
        yield from (f"{at}.{name}" for name in value.model_extra or {})
        for name in value.model_fields_set - set(value.model_extra or {}):
            yield from strangers(getattr(value, name), f"{at}.{name}")
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from strangers(item, f"{at}[]")


def strictly(package):
    """Makes the TypedDicts of a package refuse what they do not know. Called before any of them is asked to judge."""
    for name, module in list(sys.modules.items()):
        if name.startswith(package):
            # pydantic looks into an Iterable only when somebody reads it, and into a list at once.
            if hasattr(module, "Iterable"):
                module.Iterable = list
            for kind in vars(module).values():
                if typing_extensions.is_typeddict(kind):
                    kind.__pydantic_config__ = pydantic.ConfigDict(
                        extra="forbid", strict=True, arbitrary_types_allowed=True
                    )


adapter = functools.cache(pydantic.TypeAdapter)


def judge(kind, text):
    """Raises where a request is not of its type."""
    adapter(kind).validate_python(json.loads(text))
