"""Chinese as Taiwan writes it."""

import re
from typing import Final

from babel import Locale

from worker.content.languages.speech import Speech
from worker.content.languages.words import ENGLISH, SPANISH
from worker.core.cards import Kind
from worker.core.deadlines import DeadlineKind

SPEECH: Final = Speech(
    locale=Locale("zh", "TW", script="Hant"),
    full_date="y年M月d日EEEE",
    day_before_hour="M月d日 ",
    short_date="{month}月{day}日",
    one_clock="{day} {clock}（{city}時間）",
    two_clocks="{city}時間{day} {clock}（{card_city}時間{card_day}{card_clock}）",
    places={
        "Asia/Shanghai": "北京",
        "Asia/Taipei": "台北",
        "Asia/Hong_Kong": "香港",
        "Asia/Macau": "澳門",
        "America/Lima": "利馬",
    },
    kinds={
        Kind.DATA: "上網卡",
        Kind.RETENTION: "保號卡",
        Kind.FOUR_G: "4G卡",
        Kind.ESIM: "eSIM",
    },
    tail="（尾號{tail}）",
    entry="{card}{what}",
    losses={
        DeadlineKind.PLAN_END: "方案到期",
        DeadlineKind.OUTGOING_BLOCK: "撥出可能受限",
        DeadlineKind.BALANCE_LOSS: "餘額可能歸零",
        DeadlineKind.LINE_LOSS: "號碼可能被收回",
        DeadlineKind.REASSIGNMENT: "號碼可能轉給他人",
    },
    sample_name="陳怡君",
    plan="方案",
    maybe=re.compile("可能|最早|隨時"),
    not_travel=re.compile("門市|護照|加油站|1844|OSIPTEL|門號.{0,6}收回"),
    strangers=ENGLISH | SPANISH,
    charset="big5",  # Taiwan's set has traditional characters alone
    not_said=re.compile("微信|充值|短信|營業廳|截屏|信號|套餐|運營商"),
)
