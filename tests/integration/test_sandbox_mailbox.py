"""The mailbox: JSON for programs, in letters that can be read, and a page for people."""

import json

import pytest

from tests.integration.sandbox_helpers import SMS, call, mail, mailbox, post_form, post_mail

_BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
_TEXT = "【KeepSIM】Claro卡(尾号0001) <script>alert(1)</script>"


@pytest.fixture
def url(sandbox: str) -> str:
    """A sandbox that has taken one SMS, then one email."""
    assert post_form(sandbox, {**SMS, "Body": _TEXT}).status == 201
    assert post_mail(sandbox, mail()).status == 202
    return sandbox


def test_the_mailbox_of_a_browser_is_a_page_with_the_newest_first(url: str) -> None:
    reply = call(url, "GET", "/sandbox/mailbox", headers=_BROWSER)
    page = reply.body.decode("utf-8")
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    assert page.index("lucia@example.com") < page.index(SMS["To"])
    assert "【KeepSIM】Claro卡(尾号0001)" in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    [told] = mailbox(url)["email"]["lucia@example.com"]
    link = f"/sandbox/mailbox/{told['id']}"
    assert f'href="{link}"' in page
    assert "<p>Vence mañana</p>" in call(url, "GET", link).body.decode("utf-8")
    assert call(url, "GET", "/sandbox/mailbox/none").status == 404


def test_a_page_can_be_that_of_one_number(url: str) -> None:
    page = call(url, "GET", "/sandbox/mailbox?to=%2B51987654321", headers=_BROWSER).body.decode()
    assert "1 messages" in page
    assert "lucia@example.com" not in page


def test_the_mailbox_of_a_program_is_json_with_chinese_as_it_is(url: str) -> None:
    reply = call(url, "GET", "/sandbox/mailbox")
    assert "尾号0001" in reply.body.decode("utf-8")
    assert json.loads(reply.body)["sms"][SMS["To"]][0]["body"] == _TEXT
