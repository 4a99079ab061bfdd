"""The mailbox as a page for people: what each number and address has received, newest first."""

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from worker.sandbox.messages import Email, Sms

_MOST = 500
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Mailbox of the sandbox</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 sans-serif; max-width: 44rem; margin: 1rem auto; padding: 0 1rem }}
article {{ border-top: 1px solid #8888; padding: .75rem 0 }}
header {{ font-size: .875rem; opacity: .8 }}
p {{ white-space: pre-wrap; overflow-wrap: anywhere; margin: .25rem 0 }}
</style>
<h1>Mailbox of the sandbox</h1>
<p>{summary}</p>
{messages}
</html>
"""
_MESSAGE = "<article><header>{when} &middot; {what} to {to}</header>\n{text}</article>"


def mailbox_page(log: Sequence[Sms | Email], to: str | None) -> str:
    """An HTML page of the last messages of ``log``, or of those to ``to``."""
    wanted = [each for each in log if to is None or each.to.lower() == to.lower()]
    summary = f"{len(wanted)} messages; nobody real has received any. Reload for newer ones."
    if len(wanted) > _MOST:
        summary += f" The last {_MOST} are shown."
    shown = "\n".join(_message(each) for each in reversed(wanted[-_MOST:]))
    return _PAGE.format(summary=escape(summary), messages=shown)


def _message(message: Sms | Email) -> str:
    if isinstance(message, Sms):
        what, text = "SMS", f"<p>{escape(message.body)}</p>"
    else:
        link = f"/sandbox/mailbox/{quote(message.id, safe='')}"
        what = "Email"
        text = (
            f'<p><b>{escape(message.subject)}</b> (<a href="{link}">as its reader sees it</a>)</p>'
        )
        text += f"<p>{escape(message.text)}</p>"
    when = f"{message.created:%Y-%m-%d %H:%M} UTC"
    return _MESSAGE.format(when=when, what=what, to=escape(message.to), text=text)
