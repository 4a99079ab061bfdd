"""Templates that do not come to an end are ended, and told by their name."""

from collections.abc import Iterator

import pytest
from jinja2 import Template

from worker.content.bounds import begin
from worker.content.environment import build
from worker.content.errors import TemplateError
from worker.errors import ConfigError
from worker.setup.bounded import bounded

LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


def rendered(name: str, source: str) -> str:
    begin(name)
    template: Template = build({name: source}, html=False).get_template(name)
    return template.render(nine=9)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "endless",
    [LOOP, "{{ 9 ** (9 ** 9) }}", "{{ nine ** (nine ** nine) }}"],
    ids=["a loop in a loop", "a constant", "a single step of Python's own"],
)
def test_an_endless_template_is_ended_and_named(endless: str) -> None:
    def work() -> list[str]:
        return [rendered("fine.j2", "ok"), rendered("endless.j2", endless)]

    with pytest.raises(TemplateError, match="does not come to an end") as told:
        bounded(work, seconds=1)
    assert told.value.file == "endless.j2"


def test_many_templates_may_take_longer_together_than_one_of_them_may() -> None:
    def spend() -> Iterator[int]:
        for number in range(4):
            begin(f"{number}.j2")
            yield sum(range(15_000_000)) and number

    assert bounded(lambda: [*spend()], seconds=2) == [0, 1, 2, 3]


def test_what_is_wrong_with_the_texts_is_told_as_ever() -> None:
    def work() -> None:
        raise ConfigError("a file is missing", "put it there")

    with pytest.raises(ConfigError, match="a file is missing") as told:
        bounded(work)
    assert told.value.hint == "put it there"


def test_a_bug_in_the_work_is_no_empty_answer() -> None:
    def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ConfigError, match="ended the process"):
        bounded(work)
