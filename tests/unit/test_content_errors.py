"""A mistake in a template is found at load, and said with file and line."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.content_helpers import TEMPLATES, content
from worker.content.render import Content
from worker.content.samples import sample_letter
from worker.core.cards import Language
from worker.errors import ConfigError

# The events these tests speak of: to load all of them for each test takes long.
EVENTS = ("plan_ended", "line_loss_tomorrow")


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in ("sources", "samples"):
        monkeypatch.setattr(f"worker.content.{module}.ALL_EVENTS", EVENTS)
    for folder in ("shared", *EVENTS):
        shutil.copytree(TEMPLATES / folder, tmp_path / "templates" / folder)
    return tmp_path / "templates"


def refused(directory: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        Content.load(directory)
    return str(caught.value)


def append(directory: Path, name: str, text: str) -> int:
    """Add ``text`` as a line of its own to a template; returns its line number."""
    path = directory / name
    source = path.read_text().rstrip("\n") + "\n"
    path.write_text(source + text + "\n")
    return source.count("\n") + 1


@pytest.mark.parametrize("part", ["sms.txt", "subject.txt"])
def test_an_undefined_variable_is_named_with_file_and_line(templates: Path, part: str) -> None:
    line = append(templates, f"line_loss_tomorrow/es-PE/{part}.j2", "{{ holder }}")
    message = refused(templates)
    assert f"line_loss_tomorrow/es-PE/{part}.j2, line {line}: 'holder' is undefined" in message


def test_an_unknown_field_of_a_notice_is_named(templates: Path) -> None:
    line = append(templates, "plan_ended/en/sms.txt.j2", "{{ first.price }}")
    message = refused(templates)
    assert f"plan_ended/en/sms.txt.j2, line {line}: " in message
    assert "price" in message


def test_an_undefined_variable_that_only_some_letters_reach_is_found_too(templates: Path) -> None:
    append(templates, "plan_ended/en/sms.txt.j2", "{% if not unsubscribe %}{{ x1 }}{% endif %}")
    assert "'x1' is undefined" in refused(templates)


def test_an_undefined_variable_on_the_last_day_alone_is_found_too(templates: Path) -> None:
    append(
        templates,
        "line_loss_tomorrow/en/sms.txt.j2",
        "{% if first.days == 0 %}{{ x2 }}{% endif %}",
    )
    assert "'x2' is undefined" in refused(templates)


def test_a_letter_cannot_be_changed_by_its_template(templates: Path) -> None:
    append(templates, "plan_ended/en/sms.txt.j2", "{% set first.days = 3 %}")
    assert "plan_ended/en/sms.txt.j2" in refused(templates)


@pytest.mark.parametrize("name", ["layout.txt.j2", "layout.mjml.j2", "en/words.j2"])
def test_a_mistake_in_what_letters_share_is_found_where_it_stands(
    templates: Path, name: str
) -> None:
    path = templates / "shared" / name
    lines = path.read_text().splitlines()
    row = next(i for i, line in enumerate(lines) if "signature" in line)
    lines[row] = lines[row].replace("{{ signature }}", "{{ signture }}")
    path.write_text("\n".join(lines))
    assert f"shared/{name}, line {row + 1}: 'signture' is undefined" in refused(templates)


@pytest.mark.parametrize(
    "name", ["plan_ended/en/sms.txt.j2", "shared/en/words.j2", "shared/layout.mjml.j2"]
)
def test_a_syntax_error_is_said_with_file_and_line(templates: Path, name: str) -> None:
    line = append(templates, name, "{{ first. }}")
    assert f"{name}, line {line}: " in refused(templates)


@pytest.mark.parametrize(
    "escape",
    [
        "{{ ''.__class__ }}",
        "{{ first.__class__.__mro__ }}",
        "{{ notices.__class__ }}",
        "{{ self.__init__.__globals__ }}",
        "{{ guides.append(1) }}",
        "{{ '{0.__class__}'.format(first) }}",
        "{{ (first | attr('__class__')) }}",
        "{{ cycler.__init__ }}",
    ],
)
def test_a_way_out_of_the_sandbox_is_refused(templates: Path, escape: str) -> None:
    line = append(templates, "plan_ended/zh-Hant/sms.txt.j2", escape)
    message = refused(templates)
    assert f"plan_ended/zh-Hant/sms.txt.j2, line {line}: " in message


@pytest.mark.parametrize("include", ["../secret.txt", "/etc/hostname", "README.md"])
def test_a_template_includes_nothing_but_templates(templates: Path, include: str) -> None:
    (templates.parent / "secret.txt").write_text("secret")
    line = append(templates, "plan_ended/en/sms.txt.j2", f'{{% include "{include}" %}}')
    message = refused(templates)
    assert f"plan_ended/en/sms.txt.j2, line {line}: there is no template" in message
    assert include in message


def test_a_link_out_of_the_directory_is_not_followed(templates: Path) -> None:
    outside = templates.parent / "outside.j2"
    outside.write_text("secret")
    path = templates / "plan_ended/en/sms.txt.j2"
    path.unlink()
    path.symlink_to(outside)
    assert "plan_ended/en/sms.txt.j2: leads out of" in refused(templates)


def test_a_missing_file_folder_or_directory_is_named(templates: Path) -> None:
    (templates / "line_loss_tomorrow/en/email.mjml.j2").unlink()
    assert "line_loss_tomorrow/en/email.mjml.j2: this template is missing" in refused(templates)
    shutil.rmtree(templates / "line_loss_tomorrow/zh-Hant")
    assert "line_loss_tomorrow/zh-Hant/sms.txt.j2: this template is missing" in refused(templates)
    shutil.rmtree(templates / "line_loss_tomorrow")
    assert "line_loss_tomorrow: this folder of templates is missing" in refused(templates)
    assert "this folder of templates is missing" in refused(templates / "nowhere")


def test_a_file_in_another_encoding_is_named(templates: Path) -> None:
    (templates / "plan_ended/zh-Hans/sms.txt.j2").write_bytes("到期".encode("gb2312"))
    assert "plan_ended/zh-Hans/sms.txt.j2: cannot be read" in refused(templates)


def test_mjml_that_is_not_valid_or_not_whole_is_refused(templates: Path) -> None:
    path = templates / "plan_ended/en/email.mjml.j2"
    good = path.read_text()
    path.write_text("<mjml><mj-body><mj-text></mjml>")
    assert "plan_ended/en/email.mjml.j2: is not valid MJML" in refused(templates)
    path.write_text(good + "{% block now %}<mj-text>now</mj-text>{% endblock %}")
    assert "plan_ended/en/email.mjml.j2: has MJML tags" in refused(templates)


def test_a_letter_may_have_a_whole_document_of_its_own(templates: Path) -> None:
    path = templates / "plan_ended/en/email.mjml.j2"
    path.write_text(
        "<mjml><mj-body><mj-section><mj-column><mj-text>{{ holder_name }}</mj-text>"
        "</mj-column></mj-section></mj-body></mjml>"
    )
    letter = replace(sample_letter("plan_ended", Language.EN), holder_name="<i>")
    html = Content.load(templates).email(letter).html
    assert "&lt;i&gt;" in html
    assert "<mj-" not in html


def test_a_text_that_comes_out_empty_is_refused(templates: Path) -> None:
    (templates / "plan_ended/en/subject.txt.j2").write_text("{% if 0 %}x{% endif %}\n")
    assert "plan_ended/en/subject.txt.j2: comes out empty" in refused(templates)


def test_an_event_without_a_text_is_a_clear_error() -> None:
    letter = sample_letter("plan_ended", Language.EN)
    odd = replace(letter, notices=(replace(letter.notices[0], event="party"),))
    for render in (content().sms, content().email):
        with pytest.raises(ConfigError, match=r"party/en/\w+\.txt\.j2: there is no such template"):
            render(odd)


def test_a_letter_without_a_notice_is_refused() -> None:
    letter = replace(sample_letter("plan_ended", Language.EN), notices=())
    with pytest.raises(ValueError, match="without a notice"):
        content().sms(letter)
