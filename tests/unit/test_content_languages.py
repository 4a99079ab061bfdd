"""Every text speaks one language throughout, and says only what is known."""

import re
from dataclasses import replace
from functools import cache
from itertools import product

import pytest

from tests.unit.content_helpers import HOLDER_EVENTS, content
from worker.content.languages import SPEECH
from worker.content.samples import bare, rich_letter, sample_letter
from worker.core.cards import Kind, Language
from worker.core.deadlines import DeadlineKind
from worker.core.wording import ALL_EVENTS, GUARDIAN_EVENT

# Names and words that a Chinese reader sees in Latin letters.
LATIN = "Claro Movistar Vigencia Plan eSIM App FonoAyuda OSIPTEL LINE WhatsApp UTC TD G S R A B C D"
LATIN += " APN ICCID IMSI checatuslineas osiptel gob pe usuarios operator example com"
SIMPLIFIED = "号码订别还见时过后发账储门续费张邮请让应营业网"
TRADITIONAL = "號碼訂別還見時過後發帳儲門續費張郵請讓應營業網"
ENGLISH = "the your you and is to on of from top up now or it this may will days"
SPANISH = "el la los las su de que del en y si con para por hoy desde puede"
# Names nobody has verified: brands, counters, apps and ways to pay.
UNVERIFIED = (
    "Mi Movistar|Mi Entel|Plin|Yape|Tambo|Tottus|Metro|PayPal|Alipay|WeChat Pay|Western Union|"
    r"支付宝|支付寶|微信支付|USSD|\*\d+#|\b104\b"
)
everywhere = pytest.mark.parametrize(("event", "language"), list(product(ALL_EVENTS, Language)))


@cache
def texts(event: str, language: Language) -> tuple[str, ...]:
    """SMS, subject and plain text of letters long and short; nobody's name in them."""
    found = []
    for others in (0, 1, 5):
        letter = sample_letter(event, language, others=others)
        letter = replace(
            letter,
            holder_name="",
            notices=tuple(
                replace(bare(n) if others == 1 else n, holder=None) for n in letter.notices
            ),
        )
        email = content().email(letter)
        found += [email.subject, email.text]
        if event != GUARDIAN_EVENT:
            found.append(content().sms(letter).text)
    rich = replace(rich_letter(event, language, HOLDER_EVENTS), holder_name="", unsubscribe=None)
    rich = replace(rich, notices=tuple(replace(n, holder=None) for n in rich.notices))
    found.append(content().email(rich).text)
    return tuple(re.sub(r"https://\S+?(?=[（，\s]|$)", "", text) for text in found)


def latin_words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", re.sub(r"[^\x00-\u024f]", " ", text)))


def test_the_telltale_characters_are_told_apart() -> None:
    for simplified, traditional in zip(SIMPLIFIED, TRADITIONAL, strict=True):
        assert simplified != traditional


@pytest.mark.parametrize("event", ALL_EVENTS)
def test_simplified_chinese_has_no_traditional_character_and_nothing_untranslated(
    event: str,
) -> None:
    for text in texts(event, Language.ZH_HANS):
        assert not set(text) & set(TRADITIONAL)
        text.encode("gb2312")  # the mainland's set of 1980 has simplified characters alone
        assert latin_words(text) <= set(LATIN.split())


@pytest.mark.parametrize("event", ALL_EVENTS)
def test_traditional_chinese_has_no_simplified_character_and_nothing_untranslated(
    event: str,
) -> None:
    for text in texts(event, Language.ZH_HANT):
        assert not set(text) & set(SIMPLIFIED)
        text.encode("big5")  # Taiwan's set has traditional characters alone
        assert latin_words(text) <= set(LATIN.split())


@pytest.mark.parametrize("event", ALL_EVENTS)
def test_each_chinese_uses_the_words_of_its_place(event: str) -> None:
    for text in texts(event, Language.ZH_HANS):
        assert not re.search(r"LINE|储值|门号|短讯|简讯|门市|萤幕|讯号", text)
    for text in texts(event, Language.ZH_HANT):
        assert not re.search(r"微信|充值|號碼(?!換掉)|短信|營業廳|截屏|信號|套餐|運營商", text)


@pytest.mark.parametrize("event", ALL_EVENTS)
def test_spanish_and_english_have_no_word_of_each_other_and_no_chinese(event: str) -> None:
    for text in texts(event, Language.ES_PE):
        assert not {word.lower() for word in latin_words(text)} & set(ENGLISH.split())
        assert not re.search(r"[\u3000-\uffef]", text)
    for text in texts(event, Language.EN):
        assert not {word.lower() for word in latin_words(text)} & set(SPANISH.split())
        assert text.isascii()


@everywhere
def test_nothing_unverified_is_named(event: str, language: Language) -> None:
    for text in texts(event, language):
        assert not re.search(UNVERIFIED, text)


@pytest.mark.parametrize(("event", "language"), list(product(HOLDER_EVENTS, Language)))
def test_a_letter_tells_all_that_the_holder_must_know(event: str, language: Language) -> None:
    """The way to top up or claim, 24 hours, the receipt and the fraud warning."""
    email = texts(event, language)[-1]  # the letter with cards of every event
    for pattern in {
        Language.ZH_HANS: (
            "24小时",
            "凭证",
            "诈骗",
            "护照",
            "验证码",
            "重启手机",
            "1844",
            "15天",
            "OSIPTEL",
        ),
        Language.ZH_HANT: ("24小時", "收據", "詐騙", "護照", "驗證碼", "重新開機", "1844", "15天"),
        Language.ES_PE: ("24 horas", "comprobante", "estafas", "pasaporte", "código", "Reinicie"),
        Language.EN: ("24 hours", "receipt", "fraud", "passport", "login code", "Restart"),
    }[language]:
        assert pattern in email


def test_every_kind_has_its_own_name_in_every_language() -> None:
    for language in Language:
        assert set(SPEECH[language].kinds) == set(Kind)
        assert len(set(SPEECH[language].kinds.values())) == len(Kind)


def test_a_calendar_has_words_for_every_loss_in_every_language() -> None:
    for language in Language:
        assert set(SPEECH[language].losses) == set(DeadlineKind)
