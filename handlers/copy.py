"""Every word the bot says, in one place; config.yaml's `copy` may replace any of them."""

import string
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "welcome": "欢迎来到{shop}!\n绑定手机号,就能在这里查积分、余额和优惠券。\n回复「绑定」开始,回复「帮助」看看我会什么。",
        "welcome_back": "欢迎回来,{shop}的会员!\n回复「积分」「余额」「优惠券」随时查询。",
        "help_stranger": "我是{shop}的会员助手。先绑定手机号,回复:\n绑定 您的手机号\n\n绑定后可以查:积分 · 余额 · 优惠券 · 上次 · 会员码 · 等级",
        "help_member": (
            "您可以对我说:\n积分 · 积分明细 — 有多少、何时到期\n余额 · 余额明细 — 本金和赠送金\n优惠券 — 现在能用的券\n"
            "上次 — 最近一次买了什么\n会员码 — 结账时出示\n等级 — 等级和权益\n为什么 — 为何给我这张券\n"
            "推荐 — 您可能需要的\n退订 / 恢复 — 营销消息\n换手机号 · 解绑"
        ),
        "unknown_stranger": "这句我还没听懂。\n我能帮您绑定会员、查积分和优惠券。\n回复「绑定」开始,或回复「帮助」看看我会什么。",
        "unknown_member": "这句我还没听懂。您是不是想问:\n积分 · 余额 · 优惠券\n回复其中一个词就行,或回复「帮助」看全部。",
        "not_text": "收到啦。我现在只看得懂文字,回复「帮助」看看我会什么。",
        "voice_unclear": "这段语音我没听清。请再说一次或打字,回复「帮助」看看我会什么。",
        "greeting": "您好!我是{shop}的会员助手,回复「积分」「优惠券」或「帮助」试试。",
        "thanks": "不客气,很高兴帮到您。",
        "cancelled": "好的,已取消。",
        "nothing_to_cancel": "现在没有进行中的操作。回复「帮助」看看我会什么。",
        "incident": "抱歉,系统出了点小问题,我们已经记录(编号 {incident})。请稍后再试一次。",
        "busy": "抱歉,刚才有点忙,请再发一次。",
        "need_bind": "这要先绑定会员。请回复:绑定 您的手机号\n例如:绑定 13800138000",
        "bind_ask_phone": "请发送您的手机号(11位),我会发一条短信验证码给您。\n回复「取消」可以退出。",
        "code_sent": "验证码已发送到 {phone},{minutes}分钟内有效。\n请直接回复收到的6位数字。没收到可以过一分钟回复「重发」。",
        "bad_phone": "这个手机号好像不对。请发送11位的中国大陆手机号,例如 13800138000。",
        "code_wait": "验证码刚刚发过,请稍等{wait}秒再试。",
        "code_limit": "验证码申请得太多了,请在{at}以后再试,或到门店办理。",
        "code_busy": "现在申请的人太多,请过几分钟再试。",
        "code_locked": "验证码输错次数太多,为了安全请过{minutes}分钟再试。",
        "code_shape": "验证码是6位数字,请再看看短信。没收到可以回复「重发」。",
        "code_wrong": "验证码不对,还可以试{left}次。请再看看短信,回复6位数字。",
        "code_expired": "验证码已过期。回复「重发」我再发一条。",
        "code_none": "现在没有等待中的验证码。要绑定会员,请回复:绑定 您的手机号",
        "code_none_member": "现在没有等待中的验证码。您已经绑定会员,回复「帮助」看看能做什么。",
        "bound_existing": (
            "绑定成功!您是{shop}的{tier}会员。\n积分 {points}\n余额 {balance}\n可用优惠券 {coupons} 张\n回复「帮助」看看还能做什么。"
        ),
        "bound_new": "绑定成功,欢迎成为{shop}的{tier}会员!\n以后报手机号就能攒积分。回复「帮助」看看我会什么。",
        "already_member": "您已经绑定 {phone}。\n要换号码请回复「换手机号」,不想用了可回复「解绑」。",
        "already_bound": "这个微信刚刚绑定了另一位会员。要绑定这个手机号,请先回复「解绑」。",
        "bound_otherwise": "您已经绑定 {phone}。要换成新号码请回复「换手机号」;要绑定另一位会员,请先回复「解绑」。",
        "too_many_openids": "这位会员已绑定{most}个微信,请先在其中一个微信里「解绑」,或到门店办理。",
        "phone_taken": "这个手机号属于另一位会员,不能直接换过来。请带上两个手机号到门店,我们帮您合并。",
        "phone_same": "{phone} 就是您现在的手机号,不用换。",
        "phone_changed": "手机号已换成 {phone},积分、余额和优惠券都还在。",
        "prove_sent": (
            "为了您的账户安全,先验证现在的手机号 {phone}。\n验证码已发送,{minutes}分钟内有效,请直接回复收到的6位数字。\n"
            "旧号码收不到短信?请带上会员卡到门店办理。"
        ),
        "prove_first": "请先回复发到 {phone} 的6位验证码,再换新号码。没收到可以回复「重发」,不换了请回复「取消」。",
        "change_ask_phone": "请发送新的手机号(11位),我会发一条验证码到新号码。\n回复「取消」可以退出。",
        "unbind_ask": "解绑后,这个微信不能再查您的会员信息;积分、余额和优惠券仍留在手机号 {phone} 名下,随时可重新绑定。\n确定解绑请回复「确认解绑」,不解绑请回复「取消」。",
        "unbound": "已解绑。您的积分、余额和优惠券都留在手机号名下,想回来时回复「绑定」即可。",
        "other_bound_notice": "提醒:{time} 有另一个微信通过短信验证绑定了您的会员 {phone}。如果不是您本人,请尽快联系门店{service}。",
        "phone_changed_notice": (
            "提醒:{time} 您的会员手机号由 {old} 换成了 {phone},换号前已验证旧号码。如果不是您本人,请尽快联系门店{service}。"
        ),
        "points": "您现有 {points} 积分。",
        "points_expiry": "{amount} 积分将于 {date} 到期。",
        "points_gap": "再攒 {gap} 积分可换「{reward}」。",
        "points_reward_ready": "已够换「{reward}」({cost} 积分),到门店就能兑换。",
        "points_rule": "每消费1元积{rate}分。",
        "points_rule_back": "每消费100元返{back},积成积分(1积分抵1分钱)。",
        "balance": "您的余额 {total}\n本金 {principal}(不过期,可退)\n赠送 {gift}",
        "balance_none": "您还没有储值,余额 ¥0.00\n本金 ¥0.00\n赠送 ¥0.00",
        "history_points": "最近的积分变动:",
        "history_balance": "最近的余额变动:",
        "history_line": "{date} {account}{sign}{amount} {reason}(余 {after})",
        "account_principal": "本金",
        "account_gift": "赠送",
        "history_none": "还没有变动记录。",
        "coupons": "您有 {count} 张可用优惠券:",
        "coupon_line": "{no}. {title}\n   券码 {code}\n   {until} 前有效{left}",
        "coupon_left": ",还剩{days}天",
        "coupon_today": ",今天到期",
        "coupons_more": "还有 {count} 张,先用快到期的吧。",
        "coupons_how": "用法:{how}。",
        "coupon_how": "   用法:{how}",
        "how_to_use": "结账时出示券码即可使用",
        "coupons_none": "现在没有可用的优惠券。有新券我会告诉您。",
        "last_order_store": "在{store}",
        "last_order": "您上次在 {date} {store}买了:",
        "order_line": "· {name}{times} {amount}",
        "order_more": "……共 {count} 样",
        "order_total": "合计 {total}{saved}",
        "order_saved": ",优惠 {amount}",
        "last_order_none": "还没有您的消费记录。结账时报手机号,下次就能在这里看到。",
        "member_code": "您的会员码\n{code}{card}\n结账时出示给店员就能积分。每分钟更新,请现用现取。",
        "member_card": "会员卡号 {card}",
        "tier": "您是{tier}会员。",
        "tier_next": "近12个月已消费 {spent},再消费 {gap} 升级为{next}。",
        "tier_soon": "近12个月已消费 {spent},已达到{next}的条件,系统会尽快为您升级。",
        "tier_top": "这是我们的最高等级,谢谢您一直光顾。",
        "why": "给您「{offer}」,是因为:{reason}。\n({date} 的{campaign})\n不想要个性化推荐,可回复「不要个性化」。",
        "why_none": "最近没有给您发过专属优惠。",
        "recommend": "您可能需要:",
        "recommend_line": "· {name}({reason})",
        "recommend_none": "多逛几次,我就能猜到您需要什么啦。现在可以回复「优惠券」看看能用的券。",
        "recommend_plain": "您选择了不要个性化,我就不按消费记录推荐了。回复「优惠券」看看能用的券,想恢复请回复「要个性化」。",
        "unsubscribed": "已退订,不会再给您发营销消息。交易通知照常。想恢复请回复「恢复」。",
        "unsubscribed_already": "您已经退订了营销消息。想恢复请回复「恢复」。",
        "unsubscribed_stranger": "您还没有绑定会员,我们不会给您发营销消息。",
        "ask_unsubscribe": "要停收营销消息,请回复「退订」,立即生效;交易通知不受影响。",
        "ask_resubscribe": "要重新接收优惠消息,请回复「恢复」。",
        "ask_depersonalise": "如果不想按您的消费记录挑选优惠,请回复「不要个性化」。",
        "ask_personalise": "要按您的习惯挑选优惠,请回复「要个性化」。",
        "reason_unsubscribed": "退订",
        "reason_depersonalised": "不要个性化",
        "resubscribed_already": "您没有退订,有适合您的优惠我会告诉您。不想收可以回复「退订」。",
        "resubscribed": "好的,有适合您的优惠我会告诉您。随时可回复「退订」。",
        "depersonalised": "好的,以后不再用您的消费记录挑选优惠,只给您通用的活动。回复「要个性化」可恢复。",
        "personalised": "好的,会按您的习惯挑选优惠。随时可回复「不要个性化」。",
        "stores": "我们的门店:",
        "store_line": "· {name} {address} {hours} {phone}",
        "stores_none": "门店信息暂时没有,请拨打服务电话{service}。",
        "human": "需要人工帮助,请联系门店{service}。我会继续在这里。",
        "not_offered": "这项服务还不能在微信里办。请到门店办理,或回复「帮助」看看我会什么。",
        "insufficient": "余额不足,没有做任何变动。",
        "template_empty": "「{title}」已经发完了。",
        "template_unknown": "没有找到「{name}」这种券。现在可以发:\n{choices}",
        "template_which": "您要发的是哪一种?\n{choices}\n请把券名写完整再发一次。",
        "coupon_limit": "「{title}」每人最多 {most} 张,这位会员已经领满。",
        "coupon_unknown": "没有这张券,请核对券码。",
        "coupon_mistyped": "券码有一位输错了,请再核对一次。",
        "coupon_used": "「{title}」已在 {at} 用过了。",
        "coupon_expired": "「{title}」已在 {at} 过期。",
        "coupon_void": "「{title}」已作废。",
        "staff_masked_phone": "带星号的手机号查不到人,请输入完整的11位手机号。",
        "staff_one_each": "一次只能发一张,请去掉张数再发;要发几张就发几次。",
        "staff_issue_how": "发券请写:发券 手机号 券名\n例如:发券 13800138000 满100减20\n可发的券:\n{choices}",
        "staff_no_member": "没有找到这位会员。请核对手机号,或请顾客先在公众号里绑定。",
        "staff_issued": "已发「{title}」给 {phone}\n券码 {code}\n{until} 前有效。",
        "staff_self": "不能给自己发券或核销,请让同事处理。",
        "staff_limit": "这个班次发券已达上限({most} 张),请联系店长。",
        "staff_redeem_how": "核销请写:核销 券码\n例如:核销 K7QF-2MDX-9TA0",
        "staff_redeem_ask": "要核销这张券,请回复:核销 {code}",
        "staff_redeemed": "已核销「{title}」\n券码 {code}\n会员 {phone}",
        "staff_lookup_how": "查会员请写:查会员 手机号",
        "staff_lookup": "会员 {phone}\n等级 {tier}\n积分 {points}\n余额 {balance}\n可用券 {coupons} 张\n上次消费 {last}",
        "staff_never": "无",
        "some_store": "门店",
        "staff_help": "店员指令:\n发券 手机号 券名\n核销 券码\n查会员 手机号\n今日 — 今天的小结\n其他词和会员一样用。",
        "staff_today": "今天您发券 {issued} 张,核销 {redeemed} 张。",
        "notice_coupon": "{shop}送您一张「{title}」\n券码 {code}\n{until} 前有效。回复「优惠券」查看。",
        "reason_staff_issue": "{name}在门店赠送",
        "reason_notice_coupon": "店员发券,告诉会员",
        "reason_notice_redeemed": "店员核销,告诉会员",
        "reason_other_bound_notice": "另一个微信绑定了同一会员",
        "reason_phone_changed_notice": "会员手机号换了",
        "notice_redeemed": "您的「{title}」已在{store}使用。如有疑问请联系门店{service}。",
    }
)


class Copy:
    """The texts of one shop: ours, with config.yaml's replacements, the shop's name and its time zone."""

    def __init__(self, overrides: Mapping[str, str], *, shop: str, zone: ZoneInfo, service_phone: str = "") -> None:
        self._texts = {**TEXTS, **overrides}
        self._zone, self._always = zone, {"shop": shop, "service": service_phone}

    def text(self, key: str, **facts: object) -> str:
        """Return one text with its facts filled in; instants become local dates and times."""
        for name, value in facts.items():
            if isinstance(value, datetime):
                facts[name] = self.moment(value)
        return self._texts[key].format_map(self._always | facts)

    def moment(self, instant: datetime) -> str:
        """Return an instant as people write it: 2026年3月2日 14:05."""
        local = instant.astimezone(self._zone)
        return f"{local.year}年{local.month}月{local.day}日 {local:%H:%M}"

    def day(self, instant: datetime) -> str:
        """Return the local date of an instant: 2026年3月2日."""
        local = instant.astimezone(self._zone)
        return f"{local.year}年{local.month}月{local.day}日"

    def short_day(self, instant: datetime) -> str:
        """Return the local month and day: 3月2日."""
        local = instant.astimezone(self._zone)
        return f"{local.month}月{local.day}日"


def fields_of(text: str) -> set[str]:
    """Return the placeholders of a text; ValueError when its braces are broken."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def problems(overrides: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return (key, what is wrong in Chinese) for every replacement that could not be said."""
    found = []
    for key, text in overrides.items():
        if key not in TEXTS:
            found.append((key, "没有这一句话"))
            continue
        try:
            strange = fields_of(text) - fields_of(TEXTS[key]) - {"shop", "service"}
        except ValueError:
            found.append((key, "花括号不成对"))
            continue
        if strange:
            found.append((key, f"这一句里没有 {'、'.join(sorted(strange))} 可用"))
    return found


def yuan(fen: int) -> str:
    """Return 分 as people read money: ¥1,234.50."""
    sign = "-" if fen < 0 else ""
    return f"{sign}¥{abs(fen) // 100:,}.{abs(fen) % 100:02d}"
