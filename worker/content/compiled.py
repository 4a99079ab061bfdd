"""Texts as they are handed from a process that has compiled them to one that sends them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from jinja2.bccache import Bucket, BytecodeCache

TEXT: Final = "text"
HTML: Final = "html"


class Code(BytecodeCache):
    """The code of one environment's templates, in memory (jinja2.bccache)."""

    def __init__(self, code: Mapping[str, bytes] | None = None) -> None:
        self.code = dict(code or {})

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give what is there; Jinja compiles the rest."""
        if code := self.code.get(bucket.key):
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what Jinja has compiled."""
        self.code[bucket.key] = bucket.bytecode_to_string()


@dataclass(frozen=True, slots=True)
class Compiled:
    """``sources`` as they stand in the files, ``converted`` with MJML as HTML, and the ``code`` of
    the two environments. Plain values only: it travels between processes."""

    sources: Mapping[str, str]
    converted: Mapping[str, str]
    code: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
