"""What each language has besides its templates, one module each."""

from collections.abc import Mapping
from typing import Final, assert_never

from worker.content.languages import en, es_pe, zh_hans, zh_hant
from worker.content.languages.speech import Speech
from worker.core.cards import Language


def _speech(language: Language) -> Speech:
    match language:
        case Language.ZH_HANS:
            return zh_hans.SPEECH
        case Language.ZH_HANT:
            return zh_hant.SPEECH
        case Language.ES_PE:
            return es_pe.SPEECH
        case Language.EN:
            return en.SPEECH
        case _:  # mypy sees a language that has no module
            assert_never(language)


SPEECH: Final[Mapping[Language, Speech]] = {language: _speech(language) for language in Language}
__all__ = ["SPEECH", "Speech"]
