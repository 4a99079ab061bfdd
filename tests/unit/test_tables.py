"""What is wrong with a key of a TOML file is told with its name, in words, and with its line."""

from pathlib import Path

import pytest
from pydantic import Field

from worker.paths import line_of
from worker.tables import Table, read


class _Leaf(Table):
    days: int = Field(ge=1, description="{value} is no number of days")
    plain: str = ""


class _Tree(Table):
    leaves: list[_Leaf] = []  # noqa: RUF012 - pydantic copies it
    by_name: dict[str, _Leaf] = {}  # noqa: RUF012


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"leaves": [{"days": 0}]}, "leaves.days: 0 is no number of days"),
        ({"leaves": [{"days": "7"}]}, "leaves.days: '7' is no number of days"),
        ({"leaves": [{}]}, "leaves.days: None is no number of days"),
        ({"leaves": [3]}, "leaves: write it as a table with days, plain"),
        ({"by_name": {"a": {"days": 1, "d": 1}}},
         "by_name.a.d: not known here; known are days, plain"),
        ({"by_name": {"a": {"days": 1, "plain": 2}}},
         "by_name.a.plain: Input should be a valid string"),
        ({"by_nam": {}}, "by_nam: not known here; known are by_name, leaves"),
    ],
)  # fmt: skip
def test_a_wrong_key_is_told_with_its_path(data: dict[str, object], told: str) -> None:
    assert read(_Tree, data) == (None, [told])


def test_everything_that_is_wrong_is_told_at_once() -> None:
    found, problems = read(_Tree, {"leaves": [{"days": 0}, {}], "by_name": {"a": 1}, "x": 1})
    assert found is None
    assert [problem.partition(": ")[0] for problem in problems] == [
        *("leaves.days", "leaves.days", "by_name.a", "x")
    ]


_FILE = """\
useful_days = 7
[titles.en]
words = "x"
[words.en]
kinds = { data = "d" }
[zones]
"America/Lima" = ["Lima"]
[sms."+51"]
price = 1
[[route]]
prefix = "+1"
languages = ["en"]
[[route]]
prefix = "+51"
languages = [
  "en",
]
"""


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("useful_days", 1),
        ("titles.en.words", 3),
        ("words", 0),
        ("words.en.kinds.data", 5),
        ("words.en.states", 4),
        ("zones.America/Lima", 7),
        ("sms.+51.price", 9),
        ("route.+1.languages", 12),
        ("route.+51.languages", 15),
        ("route.+51.fallback", 14),
        ("nothing", 0),
    ],
)
def test_a_key_is_found_in_its_own_table(tmp_path: Path, key: str, line: int) -> None:
    file = tmp_path / "some.toml"
    file.write_text(_FILE)
    assert line_of(file, key) == line
