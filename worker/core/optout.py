"""What a holder says by SMS: words that stop the messages, and words that start them again.

Sources: Twilio's default words (www.twilio.com/docs/messaging/tutorials/advanced-opt-out: STOP,
STOPALL, UNSUBSCRIBE, CANCEL, END, QUIT, REVOKE, OPTOUT; START, YES, UNSTOP; HELP, INFO), those that
the FCC names (47 CFR 64.1200(a)(10): also "opt out"), and the custom of mainland China (退订, TD,
and one letter, often written as an answer: 回TD).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final


class Said(StrEnum):
    """What an inbound message means. ``UNCLEAR``: a word that stops stands in it, among others."""

    OUT = "opted_out"
    IN = "opted_in"
    HELP = "help"
    UNCLEAR = "unclear"


class _Part(StrEnum):
    """What stands beside a word and changes nothing, what makes a sentence worth reading, and a
    letter that is a word only where no other stands beside it: R is none in "R & D"."""

    POLITE = "polite"
    HINT = "hint"
    LETTER = "letter"


_Meaning = Said | _Part
_Phrase = tuple[str, ...]

_OUT: Final = (
    *("stop", "stopall", "stop all", "unsubscribe", "cancel", "end", "quit", "revoke"),
    *("optout", "opt out"),
    *("baja", "parar", "cancelar", "salir", "desuscribir", "desuscribirme"),
    *("退订", "退訂", "td", "取消订阅", "取消訂閱"),
)
# One letter is the custom in mainland China; elsewhere it may mean anything.
_OUT_IN_CHINA: Final = ("n", "t", "r")
_IN: Final = ("start", "yes", "unstop", "alta", "恢复", "恢復")
_HELP: Final = ("help", "info", "ayuda", "帮助", "幫助")
# 回TD is "answer TD": the instruction is often copied with the word.
_POLITE: Final = (
    *("please", "pls", "plz", "thanks", "thank you", "thank you very much", "thx", "ty", "kindly"),
    *("hi", "hello", "sir", "madam", "now", "immediately", "all", "ok", "okay", "re", "reply"),
    *("por favor", "porfavor", "porfa", "x favor", "xfa", "favor", "gracias", "muchas gracias"),
    *("mil gracias", "hola", "buenas", "buenos dias", "buen dia", "buenas tardes"),
    *("buenas noches", "senor", "senora", "senorita", "senores", "estimados", "ya", "ahora"),
    *("responder", "respondo", "respuesta", "enviar", "envio"),
    *("回", "回复", "回復", "回覆", "答复", "发送", "發送", "发", "發", "我要", "我想", "我想要"),
    *(
        "请",
        "請",
        "请帮我",
        "請幫我",
        "麻烦",
        "麻煩",
        "谢谢",
        "謝謝",
        "多谢",
        "多謝",
        "感谢",
        "感謝",
    ),
    *("您好", "你好", "了", "吧", "啊", "哦", "呀", "啦", "全部"),
)
# No word of ours, but somebody should read it: any reasonable way to say it counts.
_HINT: Final = (
    *("no more", "remove me", "opt me out", "do not text", "don t text", "leave me alone"),
    *("no mas", "no enviar", "no envien", "no me envien", "no quiero", "alto", "basta", "detener"),
    *("取消", "停止", "拒收", "不要再", "不要发", "不要發", "别发", "別發", "别再", "別再"),
)
_MAINLAND: Final = "+86"

# One Han character is a token, and so is a run of other letters and digits.
_TOKEN: Final = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]|[^\W_\u3400-\u9fff]+")


def said(sender: str, text: str, read: Said | None = None) -> Said | None:
    """What the message ``text`` from ``sender`` (E.164) means, ``None`` if none of our words is it.

    A word counts if it is the whole message but for punctuation and courtesy, in any case and
    width: "¡Baja, gracias!", "stop please", "回TD". A sentence with such a word in it may be about
    anything ("dar de baja mi línea"), so a person has to read it: ``UNCLEAR``. "NO" and "SI" answer
    something else. ``read``: what a provider has read in it, which wins over the text.
    """
    if read is not None:
        return read
    letters = _OUT_IN_CHINA if sender.startswith(_MAINLAND) else ()
    found = set(_meanings(_tokens(text), letters))
    meant = {Said.OUT if part is _Part.LETTER else part for part in found} - {_Part.POLITE}
    if len(meant) == 1 and isinstance(only := meant.pop(), Said):
        return only
    return Said.UNCLEAR if found & {Said.OUT, _Part.HINT} else None


def _meanings(tokens: list[str], letters: Iterable[str]) -> Iterator[_Meaning | None]:
    """What each part of a message says, the longest phrase first; ``None``: any other word."""
    known = _KNOWN | {(letter,): _Part.LETTER for letter in letters}
    place = 0
    while place < len(tokens):
        for length in range(min(_LONGEST, len(tokens) - place), 0, -1):
            meaning = known.get(tuple(tokens[place : place + length]))
            if meaning is not None:
                break
        yield meaning
        place += length


def _tokens(text: str) -> list[str]:
    """The words of ``text`` in one case and width, without accents, punctuation, or characters that
    nobody sees."""
    kinds = ((c, unicodedata.category(c)) for c in text)
    seen = "".join(" " if kind[0] in "PS" else c for c, kind in kinds if kind != "Cf")
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", seen).casefold())
    return _TOKEN.findall("".join(c for c in plain if unicodedata.category(c) != "Mn"))


def _phrases() -> Iterator[tuple[_Phrase, _Meaning]]:
    parts: dict[_Meaning, tuple[str, ...]] = {
        _Part.POLITE: _POLITE,
        _Part.HINT: _HINT,
        Said.HELP: _HELP,
        Said.IN: _IN,
        Said.OUT: _OUT,
    }
    for meaning, phrases in parts.items():
        for phrase in phrases:
            yield tuple(_tokens(phrase)), meaning


_KNOWN: Final = dict(_phrases())
_LONGEST: Final = max(map(len, _KNOWN))
