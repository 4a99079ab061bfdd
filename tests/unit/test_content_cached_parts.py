"""What is spared when thousands of messages are rendered changes no byte of them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateSyntaxError
from jinja2.exceptions import UndefinedError
from markupsafe import Markup, escape

from tests.unit.content_helpers import HOLDER_EVENTS, TEMPLATES, content
from worker.content import cached_parts
from worker.content.environment import TemplateSandbox, build
from worker.content.escaping import escaped
from worker.content.letter import Letter
from worker.content.render import Content
from worker.content.samples import rich_letter, sample_letter
from worker.content.tidy import one_line, variables
from worker.core.cards import Language

HOSTILE = st.text(alphabet="a| \t\n\v\x1c\x85\u00a0\u200b\u2028\u202e\u3000\ud800<&'\"", max_size=6)
NEEDED = st.sampled_from(["operator", "tail", "deadline_at"])
OPTIONAL = st.sampled_from(
    ["plan", "balance", "receipt_ref", "holder", "why", "renewed_link", "tomorrow_link"]
)


def environment(source: str, seen: list[str] | None = None) -> TemplateSandbox:
    """One template ``x/en/t.j2`` with a filter ``note`` that tells what was rendered."""
    made = build({"x/en/t.j2": source, "x/es-PE/t.j2": source}, html=True)

    def note(value: str) -> str:
        if seen is not None:
            seen.append(value)
        return value

    made.filters["note"] = note
    return made


def test_a_kept_part_is_rendered_once_for_the_same_values() -> None:
    seen: list[str] = []
    made = environment("{% kept a %}{{ a | note }}{% endkept %}{{ b }}", seen)
    template = made.get_template("x/en/t.j2")
    texts = [template.render(a=a, b=b) for a, b in (("1", "2"), ("1", "3"), ("4", "5"))]
    assert texts == ["12", "13", "45"]
    assert seen == ["1", "4"]


def test_what_is_marked_as_html_is_kept_apart_from_what_only_looks_like_it() -> None:
    template = environment("{% kept a %}{{ a }}{% endkept %}").get_template("x/en/t.j2")
    assert template.render(a=Markup("<b>")) == "<b>"
    assert template.render(a="<b>") == "&lt;b&gt;"


def test_a_kept_part_speaks_the_language_of_its_template() -> None:
    made = environment("{% kept a %}{{ a | long_date }}{% endkept %}")
    day = sample_letter("plan_ended", Language.EN).notices[0].deadline_on
    said = {made.get_template(f"x/{folder}/t.j2").render(a=day) for folder in ("en", "es-PE")}
    assert said == {"9 June 2026", "9 de junio de 2026"}


@pytest.mark.parametrize(
    "inside",
    [
        "{{ b }}",
        "{{ self.a() }}",
        "{{ caller() }}",
        "{% for a in b %}{{ a }}{% endfor %}",
        "{% block b %}{% endblock %}",
        "{% include 'x/en/t.j2' %}",
        "{% import 'x/en/t.j2' as b %}",
    ],
)
def test_a_kept_part_may_see_nothing_that_it_does_not_name(inside: str) -> None:
    made = environment("\n{% kept a %}" + inside + "{% endkept %}")
    with pytest.raises(TemplateSyntaxError, match="must name all that it sees") as caught:
        made.get_template("x/en/t.j2")
    assert caught.value.lineno == 2


def test_kept_parts_do_not_grow_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached_parts, "_MOST", 3)
    made = environment("{% kept a %}{{ a }}{% endkept %}")
    template = made.get_template("x/en/t.j2")
    [extension] = made.extensions.values()
    assert isinstance(extension, cached_parts.KeptTag)
    assert [template.render(a=n) for n in range(9)] == [str(n) for n in range(9)]
    assert len(extension.texts) <= 3


def test_what_was_rendered_before_changes_no_letter() -> None:
    fresh, errors = Content.collect(TEMPLATES)
    assert not errors

    def letters(language: Language) -> list[Letter]:
        rich = rich_letter(HOLDER_EVENTS[0], language, HOLDER_EVENTS)
        plain = [sample_letter(event, language, others=1) for event in HOLDER_EVENTS]
        return [rich, *plain, replace(rich, guides=()), *(replace(p, guides=()) for p in plain)]

    every = [letter for language in Language for letter in letters(language)]
    there = [content().email(letter) for letter in every]
    back = [fresh.email(letter) for letter in reversed(every)]
    assert there == back[::-1]


@given(HOSTILE | HOSTILE.map(Markup) | st.integers() | st.none() | st.booleans())
def test_a_value_is_escaped_as_ever(value: object) -> None:
    assert str(escaped(value)) == str(escape(value))


def test_an_undefined_value_is_no_empty_text() -> None:
    with pytest.raises(UndefinedError):
        environment("{{ a }}").get_template("x/en/t.j2").render()


@given(st.dictionaries(NEEDED, HOSTILE), st.dictionaries(OPTIONAL, st.none() | HOSTILE))
def test_every_typed_value_reaches_a_template_tidy(
    needed: dict[str, str], optional: dict[str, str | None]
) -> None:
    letter = sample_letter("plan_ended", Language.EN)
    notice = replace(letter.notices[0], **needed, **optional)  # type: ignore[arg-type]
    seen = variables(replace(letter, notices=(notice,)))["first"]
    for name, value in needed.items():
        assert getattr(seen, name) == one_line(value)
    for name, text in optional.items():
        assert getattr(seen, name) == (one_line(text) or None if text else None)
