"""What is heard beside the intents: the end of a talk with a person, a complaint, who is asked for, stickers."""

import re

from handlers.reading import normalise, squeeze

_ENDS = frozenset(
    (
        "机器人", "返回", "结束人工", "取消", "结束", "退出", "退出人工", "回到机器人", "找机器人", "转机器人",
        "取消人工", "结束会话", "不用人工了", "不要人工了", "jiqiren",
    )
)  # fmt: skip
_POLITE = re.compile(r"^(?:请|好了?|可以)+|(?:吧|了|谢谢您?|啊)+$")
_COMPLAINT = re.compile(r"投诉|举报|维权|12315|12345|差评|tousu|曝光")
_STAFF_WANTED = re.compile(
    r"(?:请|麻烦|帮|我|要|想|让|叫|找|联系|转|一下|个|有|事|的|专属|你们|她|他|跟|和|给|打|电话)*"
    r"(?:顾问|导购|店长|店员|管家|专员)(?:联系|找|给|打|电话|回|我|一下|吧|来|说|话|谢谢|在|吗|呢)*"
)
_ADVISER = re.compile(r"顾问|导购|店长|店员|管家|专员")
# "【收到不支持的消息类型，暂无法显示】" is the text that comes in place of a sticker (seen: wechatpy issue 656)
_STICKER = re.compile(r"^[【\[]?(?:收到不支持的消息类型|unsupported message)", re.IGNORECASE)


def ends_talk(text: str) -> bool:
    """Tell whether a line calls the bot back from a talk with a person: these words and no others."""
    words = squeeze(text)
    return words in _ENDS or _POLITE.sub("", words) in _ENDS


def wants_staff(text: str) -> bool:
    """Tell whether a line asks for somebody of the store and for nothing else: 顾问, 找店长, 让导购联系我."""
    return _STAFF_WANTED.fullmatch(squeeze(text)) is not None


def complains(text: str) -> bool:
    """Tell whether somebody who asks for a person has something to complain of."""
    return _COMPLAINT.search(normalise(text)) is not None


def wants_adviser(text: str) -> bool:
    """Tell whether somebody asks for a person of their store rather than for customer service."""
    return _ADVISER.search(normalise(text)) is not None


def is_sticker(text: str) -> bool:
    """Tell whether the platform sent these words in place of something it can't pass on."""
    return _STICKER.match(text.strip()) is not None
