"""A card book as a reseller keeps it: 40 cards in a Chinese spreadsheet, with a title above it."""

import random
from datetime import date, datetime, time, timedelta
from pathlib import Path

import xlsxwriter

HEADERS = (
    *("序号", "客户姓名", "微信号", "秘鲁号码", "运营商", "卡类型", "套餐", "到期日"),
    *("最近充值日", "客户手机", "邮箱", "语言", "备注"),
)
_FAMILY, _GIVEN = "王李张刘陈杨黄赵吴周", ("伟", "芳", "秀英", "敏", "静", "强", "磊", "艳", "杰")
_OPERATORS = ("Claro", "Entel", "Movistar", "Bitel")
_KINDS = ("保号卡", "流量卡", "4G卡", "eSIM")
_PLANS = ("30天不限量", "180天保号", "15天5GB")
_ENDS, _TOPPED_UP = (1, 2, 3, 6, 14, 29, 40, 80), (29, 20, 12, 60, 100)
# In China, Peru and Spain: at any hour it is day in one of them.
_PHONES = ("+86 138{:08}", "+51 9{:08}", "+34 6{:08}")
_LANGUAGES = ("中文", "中文", "西班牙语")


def write_own_book(path: Path, today: date) -> Path:
    """Write the book to ``path``, with plans that end from tomorrow on; ``path`` itself."""
    picked = random.Random(40)
    book = xlsxwriter.Workbook(path)
    sheet, bold = book.add_worksheet("秘鲁卡"), book.add_format({"bold": True})
    day = book.add_format({"num_format": "yyyy/m/d"})
    sheet.merge_range(0, 0, 0, len(HEADERS) - 1, "秘鲁手机卡客户登记表", bold)
    sheet.write_row(2, 0, HEADERS, bold)
    for n in range(40):
        row = 3 + n
        name = _FAMILY[n % len(_FAMILY)] + _GIVEN[n % len(_GIVEN)]
        number = f"9{picked.randrange(10**8):08}"
        what = (_OPERATORS[n % 4], _KINDS[n // 4 % 4], _PLANS[n % 3])
        sheet.write_row(row, 0, (n + 1, name, f"wx_{n:03}", number, *what))
        for column, distance in ((7, _ENDS[n % 8]), (8, -_TOPPED_UP[n % 5])):
            moment = datetime.combine(today + timedelta(days=distance), time())
            sheet.write_datetime(row, column, moment, day)
        phone = _PHONES[n % 3].format(picked.randrange(10**8))
        email = f"kehu{n + 1}@example.com" if n % 4 else ""
        note = "" if n % 7 else "老客户"
        sheet.write_row(row, 9, (phone, email, _LANGUAGES[n % 3], note))
    book.close()
    return path
