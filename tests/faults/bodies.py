"""Bodies of callbacks: those the platform would never send, and odd ones that it might."""

import string

HEAD = "<ToUserName>gh_test</ToUserName><FromUserName>o-anna</FromUserName><CreateTime>1700000000</CreateTime>"
TEXT = "<MsgType>text</MsgType><Content>帮助</Content><MsgId>1</MsgId>"


def message(inner: str = TEXT, head: str = HEAD) -> str:
    return f"<xml>{head}{inner}</xml>"


ENTITIES = '<!DOCTYPE x [<!ENTITY a "{0}">]>'
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BROKEN: dict[str, str | bytes] = {
    "empty": "",
    "blank": "  \n ",
    "no xml": "积分",
    "json": '{"MsgType": "text"}',
    "form": "MsgType=text&Content=1",
    "html": "<html><body>hello</body></html>",
    "unclosed": message()[:-1],
    "cut in the middle": message()[:120],
    "cut in a character": message().encode()[: message().encode().index("帮".encode()) + 1] + b"</Content></xml>",
    "two roots": message() + message(),
    "text after": message() + "x",
    "text before": "x" + message(),
    "crossed tags": message("<MsgType>text<Content></MsgType></Content>"),
    "another root": message().replace("xml>", "XML>"),
    "empty root": "<xml/>",
    "text root": "<xml>hello</xml>",
    "no fields": "<xml></xml>",
    "invalid utf-8": message().encode().replace("帮".encode(), b"\xb0\xef"),
    "gbk": message().encode("gbk"),
    "gbk declared": b'<?xml version="1.0" encoding="GBK"?>' + message().encode("gbk"),
    "utf-16": message().encode("utf-16"),
    "utf-16 declared": '<?xml version="1.0" encoding="utf-16"?>'.encode("utf-16") + message().encode("utf-16"),
    "utf-32": message().encode("utf-32"),
    "surrogate in utf-8": message().encode().replace("帮".encode(), b"\xed\xa0\x80"),
    "overlong utf-8": message().encode().replace("帮".encode(), b"\xc0\xaf"),
    "nul": message().encode().replace("帮".encode(), b"\0"),
    "nul at the end": message().encode() + b"\0",
    "nul as a reference": message(TEXT.replace("帮助", "&#0;")),
    "surrogate as a reference": message(TEXT.replace("帮助", "&#xD83D;")),
    "control character": message(TEXT.replace("帮助", "\x0b")),
    "beyond unicode": message(TEXT.replace("帮助", "&#x110000;")),
    "unknown entity": message(TEXT.replace("帮助", "&nbsp;")),
    "own entity": ENTITIES.format("b") + message(TEXT.replace("帮助", "&a;")),
    "external entity": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + message(TEXT.replace("帮助", "&a;")),
    "a dtd": "<!DOCTYPE xml>" + message(),
    "a dtd behind a comment": "<!-- <xml> --><!DOCTYPE xml>" + message(),
    "external, unused": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + message(),
    "parameter entity": '<!DOCTYPE x [<!ENTITY % a SYSTEM "http://127.0.0.1:9/x.dtd"> %a;]>' + message(),
    "external dtd": '<!DOCTYPE xml SYSTEM "http://127.0.0.1:9/x.dtd">' + message(TEXT.replace("帮助", "&a;")),
    "laughs": f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>' + message(TEXT.replace("帮助", "&l9;")),
    "quadratic blowup": ENTITIES.format("a" * 30_000) + message(TEXT.replace("帮助", "&a;" * 9_000)),
    "stray cdata end": message(TEXT.replace("帮助", "a]]>b")),
    "open cdata": message(TEXT.replace("帮助", "<![CDATA[a")),
    "doubled attribute": message(TEXT.replace("<Content>", '<Content a="1" a="2">')),
    "no ToUserName": message(head=HEAD.replace("ToUserName", "To")),
    "no FromUserName": message(head=HEAD.replace("FromUserName", "From")),
    "no CreateTime": message(head=HEAD.replace("CreateTime", "Time")),
    "no MsgType": message(TEXT.replace("MsgType", "Type")),
    "no Event": message("<MsgType>event</MsgType>"),
    "empty FromUserName": message(head=HEAD.replace("o-anna", "")),
    "blank FromUserName": message(head=HEAD.replace("o-anna", " ")),
    "empty ToUserName": message(head=HEAD.replace("gh_test", "")),
    "empty MsgType": message(TEXT.replace(">text<", "><")),
    "empty CreateTime": message(head=HEAD.replace("1700000000", "")),
    "empty Event": message("<MsgType>event</MsgType><Event></Event>"),
    "endless openid": message(head=HEAD.replace("o-anna", "o" * 60_000)),
    "openid of 65": message(head=HEAD.replace("o-anna", "o" * 65)),
    "wrong case": message().replace("FromUserName", "fromusername"),
    "prefixed": message().replace("FromUserName", "x:FromUserName"),
    "platform event without OpenID": message("<MsgType>event</MsgType><Event>user_info_modified</Event>"),
    "platform event, endless OpenID": message(
        f"<MsgType>event</MsgType><Event>user_authorization_revoke</Event><OpenID>{'o' * 9999}</OpenID>"
    ),
}
for name in ("ToUserName", "FromUserName", "CreateTime"):
    BROKEN[f"doubled {name}"] = message(f"<{name}>1</{name}>{TEXT}")
    BROKEN[f"nested {name}"] = message(head=HEAD.replace(f"<{name}>", f"<{name}><a>b</a>"))
    BROKEN[f"attribute on {name}"] = message(head=HEAD.replace(f"<{name}>", f'<{name} a="b">'))
for name in ("MsgType", "Content", "MsgId"):
    BROKEN[f"doubled {name}"] = message(f"{TEXT}<{name}>1</{name}>")
    BROKEN[f"nested {name}"] = message(TEXT.replace(f"<{name}>", f"<{name}><a>b</a>"))
for name in ("Event", "EventKey", "MsgID"):
    event = f"<MsgType>event</MsgType><Event>CLICK</Event><EventKey>k</EventKey>{f'<{name}>v</{name}>' * 2}"
    BROKEN[f"doubled {name} of an event"] = message(event)
NUMBERS = ("-1", "1.5", "1e9", "0x10", "abc", "9" * 13, "9" * 5000, "１７００", "١٧", "²", "NaN", "1 2", "1_000", "+1")
for number in NUMBERS:
    BROKEN[f"CreateTime {number[:20]}"] = message(head=HEAD.replace("1700000000", number))

ODD = {
    "byte order mark": b"\xef\xbb\xbf" + message().encode(),
    "declaration": '<?xml version="1.0" encoding="UTF-8"?>\n' + message(),
    "white space": message().replace("><", ">\n  <"),
    "comment": message(TEXT + "<!-- hello -->"),
    "processing instruction": message(TEXT + "<?php echo 1 ?>"),
    "unknown fields": message(TEXT + "<New>1</New><New>2</New><Deep><er>x</er></Deep>"),
    "attributes on the root": message().replace("<xml>", '<xml xmlns="urn:x" version="2">'),
    "empty Content": message("<MsgType>text</MsgType><Content></Content><MsgId>2</MsgId>"),
    "closed Content": message("<MsgType>text</MsgType><Content/><MsgId>3</MsgId>"),
    "no Content": message("<MsgType>text</MsgType><MsgId>4</MsgId>"),
    "blank Content": message("<MsgType>text</MsgType><Content>  </Content><MsgId>5</MsgId>"),
    "huge Content": message(f"<MsgType>text</MsgType><Content>{'积' * 20_000}</Content><MsgId>6</MsgId>"),
    "digits": message(f"<MsgType>text</MsgType><Content>{'1' * 60_000}</Content><MsgId>7</MsgId>"),
    "every printable": message(f"<MsgType>text</MsgType><Content><![CDATA[{string.printable[:-2]}]]></Content>"),
    "capital MsgType": message(TEXT.replace(">text<", ">TEXT<")),
    "unknown MsgType": message("<MsgType>hologram</MsgType><MsgId>8</MsgId>"),
    "miniprogrampage": message("<MsgType>miniprogrampage</MsgType><Title>x</Title><MsgId>9</MsgId>"),
    "image": message("<MsgType>image</MsgType><PicUrl>http://x/y</PicUrl><MediaId>1</MediaId><MsgId>10</MsgId>"),
    "voice": message("<MsgType>voice</MsgType><Recognition>帮助。</Recognition><MediaId>1</MediaId><MsgId>11</MsgId>"),
    "mute voice": message("<MsgType>voice</MsgType><Recognition/><MediaId>1</MediaId><MsgId>12</MsgId>"),
    "shortvideo": message("<MsgType>shortvideo</MsgType><MediaId>1</MediaId><MsgId>13</MsgId>"),
    "location": message("<MsgType>location</MsgType><Location_X>1</Location_X><Scale>2</Scale><MsgId>14</MsgId>"),
    "link": message("<MsgType>link</MsgType><Title>x</Title><Url>http://x</Url><MsgId>15</MsgId>"),
    "msgmenu": message("<MsgType>text</MsgType><Content>满意</Content><bizmsgmenuid>1</bizmsgmenuid><MsgId>16</MsgId>"),
    "long MsgId": message(TEXT.replace("<MsgId>1<", f"<MsgId>{'9' * 500}<")),
    "openid of 64": message(head=HEAD.replace("o-anna", "o" * 64)),
    "hostile openid": message(head=HEAD.replace("o-anna", "<![CDATA[]]>o&lt;&amp;x<![CDATA[]]]>]]&gt;")),
    "CreateTime 0": message(head=HEAD.replace("1700000000", "0")),
    "CreateTime far": message(head=HEAD.replace("1700000000", "9" * 12)),
}  # fmt: skip

SILENT = {
    "unknown event": "<Event>hologram_shown</Event>",
    "hostile event": "<Event><![CDATA[<x>]]]]><![CDATA[>&\n积分]]></Event>",
    "endless event": f"<Event>{'E' * 50_000}</Event>",
    "VIEW": "<Event>VIEW</Event><EventKey>http://x</EventKey>",
    "VIEW without a key": "<Event>VIEW</Event><EventKey/>",
    "LOCATION": "<Event>LOCATION</Event><Latitude>1</Latitude><Longitude>2</Longitude><Precision>3</Precision>",
    "scancode": "<Event>scancode_push</Event><EventKey/><ScanCodeInfo><ScanType>qr</ScanType></ScanCodeInfo>",
    "pictures": "<Event>pic_weixin</Event><EventKey/><SendPicsInfo><Count>1</Count><PicList/></SendPicsInfo>",
    "unsubscribe": "<Event>unsubscribe</Event><EventKey/>",
    "sent": "<Event>TEMPLATESENDJOBFINISH</Event><MsgID>1</MsgID><Status>failed:user block</Status>",
    "sent, odd": "<Event>TEMPLATESENDJOBFINISH</Event><MsgID/><Status><a>b</a></Status>",
    "mass": "<Event>MASSSENDJOBFINISH</Event><MsgID>1</MsgID><Status>sendsuccess</Status><SentCount>1</SentCount>",
    "popup, one": "<Event>subscribe_msg_popup_event</Event><SubscribeMsgPopupEvent><List><TemplateId>t</TemplateId>"
    "<SubscribeStatusString>accept</SubscribeStatusString></List></SubscribeMsgPopupEvent>",
    "popup, several": "<Event>subscribe_msg_popup_event</Event><SubscribeMsgPopupEvent>"
    + "<List><TemplateId>t</TemplateId><SubscribeStatusString>reject</SubscribeStatusString></List>" * 3
    + "</SubscribeMsgPopupEvent>",
    "popup, empty": "<Event>subscribe_msg_popup_event</Event><SubscribeMsgPopupEvent/>",
    "popup, missing": "<Event>subscribe_msg_popup_event</Event>",
    "popup, text": "<Event>subscribe_msg_popup_event</Event><SubscribeMsgPopupEvent>x</SubscribeMsgPopupEvent>",
    "popup, odd": "<Event>subscribe_msg_change_event</Event><SubscribeMsgChangeEvent><List>x</List><List><a/></List>"
    "<List><TemplateId><b/></TemplateId><SubscribeStatusString>reject</SubscribeStatusString></List>"
    "</SubscribeMsgChangeEvent>",
    "LOCATION, odd": "<Event>LOCATION</Event><Latitude><a/></Latitude><Longitude>1e999</Longitude>",
    "subscription sent": "<Event>subscribe_msg_sent_event</Event><SubscribeMsgSentEvent><List><MsgID>1</MsgID>"
    "<ErrorCode>0</ErrorCode></List><List><MsgID><a>b</a></MsgID></List><List>x</List></SubscribeMsgSentEvent>",
    "service begins": "<Event>kf_create_session</Event><KfAccount>test1@test</KfAccount>",
    "service ends": "<Event>kf_close_session</Event><KfAccount>test1@test</KfAccount>",
    "service moves": "<Event>kf_switch_session</Event><FromKfAccount>a@b</FromKfAccount>",
    "cancelled": "<Event>user_authorization_cancellation</Event><OpenID>o-anna</OpenID><AppID>x</AppID>",
    "revoke": "<Event>user_authorization_revoke</Event><OpenID>o-anna</OpenID><RevokeInfo>1</RevokeInfo>",
    "modified": "<Event>user_info_modified</Event><OpenID>o-anna</OpenID><RevokeInfo>1</RevokeInfo>",
}
