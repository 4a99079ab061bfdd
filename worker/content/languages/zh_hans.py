"""Chinese as the Mainland writes it."""

import re
from typing import Final

from babel import Locale

from worker.content.languages.speech import Speech
from worker.content.languages.words import ENGLISH, SPANISH
from worker.core.cards import Kind
from worker.core.deadlines import DeadlineKind

SPEECH: Final = Speech(
    locale=Locale("zh", "CN", script="Hans"),
    full_date="y年M月d日EEEE",
    day_before_hour="M月d日 ",
    short_date="{month}月{day}日",
    one_clock="{day} {clock}（{city}时间）",
    two_clocks="{city}时间{day} {clock}（{card_city}时间{card_day}{card_clock}）",
    places={
        # Nobody says 上海时间: the official time there is 北京时间.
        "Asia/Shanghai": "北京",
        "Asia/Taipei": "台北",
        "Asia/Hong_Kong": "香港",
        "Asia/Macau": "澳门",
        "America/Lima": "利马",
    },
    kinds={
        Kind.DATA: "流量卡",
        Kind.RETENTION: "保号卡",
        Kind.FOUR_G: "4G卡",
        Kind.ESIM: "eSIM",
    },
    tail="（尾号{tail}）",
    entry="{card}{what}",
    losses={
        DeadlineKind.PLAN_END: "套餐到期",
        DeadlineKind.OUTGOING_BLOCK: "呼出可能受限",
        DeadlineKind.BALANCE_LOSS: "余额可能清零",
        DeadlineKind.LINE_LOSS: "号码可能被收回",
        DeadlineKind.REASSIGNMENT: "号码可能转给他人",
    },
    sample_name="王小明",
    plan="套餐",
    maybe=re.compile("可能|最早|随时"),
    not_travel=re.compile("营业厅|门店|护照|加油站|1844|OSIPTEL|号码.{0,6}收回"),
    strangers=ENGLISH | SPANISH,
    charset="gb2312",  # the set of 1980 has simplified characters alone
    not_said=re.compile("LINE|储值|门号|简讯|门市|萤幕|讯号"),
)
