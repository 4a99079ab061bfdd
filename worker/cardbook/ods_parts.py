"""The content of an ods made into what the library of workbooks reads: without the white space that
some programs put between tags, and with dates as they are shown.

Source: OpenDocument 1.3 part 3, 6.1.2 (white space), 9.1.4 (cells), 16.29.10 (date styles).
"""

import re

_BEFORE_TABLE = re.compile(rb">\s+(?=</?(?:table|office|calcext|form):)")
_IN_CELL = re.compile(rb"(<table:(?:covered-)?table-cell(?:\s[^>]*[^/])?>)\s+(?=<)")
_AFTER_NOTE = re.compile(rb"(</office:annotation>)\s+(?=<)")
_DATE_STYLE = re.compile(
    rb'<number:date-style\s[^>]*?style:name="([^"]+)"[^>]*>(.*?)</number:date-style>', re.S
)
_CELL_STYLE = re.compile(rb"<style:style\s[^>]*>")
_NAME = re.compile(rb'style:name="([^"]+)"')
_FORMAT = re.compile(rb'style:data-style-name="([^"]+)"')
_DATE_CELL = re.compile(rb'<table:table-cell\s(?=[^>]*office:value-type="date")[^>]*>')
_CELL_NAME = re.compile(rb'table:style-name="([^"]+)"')
_VALUE = re.compile(rb'\s(?:office:date-value|calcext:value-type)="[^"]*"')


def tidy(content: bytes) -> bytes:
    """``content.xml`` in which no white space stands between tags, and a date whose day its format
    does not show is the text that is shown."""
    bare = _BEFORE_TABLE.sub(b">", content)
    bare = _AFTER_NOTE.sub(rb"\1", _IN_CELL.sub(rb"\1", bare))
    incomplete = {
        name
        for name, parts in _DATE_STYLE.findall(bare)
        if b"<number:month" in parts and b"<number:day" not in parts
    }
    if not incomplete:
        return bare
    styles: set[bytes] = set()
    for style in _CELL_STYLE.findall(bare):
        name, format_ = _NAME.search(style), _FORMAT.search(style)
        if name and format_ and format_[1] in incomplete:
            styles.add(name[1])

    def shown(cell: re.Match[bytes]) -> bytes:
        name = _CELL_NAME.search(cell[0])
        if name is None or name[1] not in styles:
            return cell[0]
        as_text = cell[0].replace(b'office:value-type="date"', b'office:value-type="string"')
        return _VALUE.sub(b"", as_text)

    return _DATE_CELL.sub(shown, bare)
