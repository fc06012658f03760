"""Every word the bot says, in one place; config.yaml's `copy` may replace any of them."""

import string
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from handlers.staff.copy import STAFF_TEXTS
from handlers.till.copy import TILL_TEXTS
from members.money import yuan as yuan

TEXTS: Mapping[str, str] = MappingProxyType(
    {
        **STAFF_TEXTS,
        **TILL_TEXTS,
        "welcome": "欢迎来到{shop}!\n绑定手机号,就能在这里查积分、余额和优惠券。\n回复「绑定」开始,回复「帮助」看看我会什么。",
        "welcome_back": "欢迎回来,{shop}的会员!\n回复「积分」「余额」「优惠券」随时查询。",
        "help_stranger": "我是{shop}的会员助手。先绑定手机号,回复:\n绑定 您的手机号\n\n绑定后可以查:积分 · 余额 · 优惠券 · 上次 · 会员码 · 等级",
        "help_member": (
            "您可以对我说:\n积分 · 积分明细 — 有多少、何时到期\n兑换 — 用积分换东西 · 对账 — 核对账目\n余额 · 余额明细 — 本金和赠送金\n优惠券 — 现在能用的券\n"
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
        "points_reward_ready": "已够换「{reward}」({cost} 积分),回复「兑换」就能换。",
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
        "coupon_limit": "「{title}」每人最多 {most} 张,这位会员已经领满。",
        "coupon_unknown": "没有这张券,请核对券码。",
        "coupon_mistyped": "券码有一位输错了,请再核对一次。",
        "coupon_used": "「{title}」已在 {at} 用过了。",
        "coupon_expired": "「{title}」已在 {at} 过期。",
        "coupon_void": "「{title}」已作废。",
        "staff_no_member": "没有找到这位会员。请核对手机号,或请顾客先在公众号里绑定。",
        "staff_issued": "已发「{title}」给 {phone}\n券码 {code}\n{until} 前有效。",
        "staff_limit": "这个班次发券已达上限({most} 张),请联系店长。",
        "staff_redeemed": "已核销「{title}」\n券码 {code}\n会员 {phone}",
        "staff_lookup": "会员 {phone}\n等级 {tier}\n积分 {points}\n余额 {balance}\n可用券 {coupons} 张\n上次消费 {last}",
        "staff_never": "无",
        "some_store": "门店",
        "staff_help": (
            "店员指令(顺序随意):\n发券 尾号8000 满100减20 2张\n核销 券码\n消费 尾号8000 128.5\n退款 尾号8000 50\n充值 尾号8000 500\n"
            "加积分 / 扣积分 尾号8000 100\n查会员 · 上次 · 标签 尾号8000\n撤销 · 今日 · 任务\n其他词和会员一样用。"
        ),
        "staff_today": "今天您发券 {issued} 张,核销 {redeemed} 张。",
        "notice_coupon": "{shop}送您一张「{title}」\n券码 {code}\n{until} 前有效。回复「优惠券」查看。",
        "reason_staff_issue": "{name}在门店赠送",
        "reason_notice_coupon": "店员发券,告诉会员",
        "reason_notice_redeemed": "店员核销,告诉会员",
        "reason_other_bound_notice": "另一个微信绑定了同一会员",
        "reason_phone_changed_notice": "会员手机号换了",
        "notice_redeemed": "您的「{title}」已在{store}使用。如有疑问请联系门店{service}。",
        "tier_why": "{reason}。",
        "tier_until": "等级保留到 {until},到期时重新核定。",
        "tier_grace": "等级已到期,{missing}。请在 {last} 前达到,否则会调整等级。",
        "tier_next_all": "再达到以下条件升级为{next}:{gaps}。",
        "tier_soon_all": "已达到{next}的条件,系统会尽快为您升级。",
        "tier_gap_spend": "近{within}再消费 {gap}",
        "tier_gap_orders": "近{within}再来 {gap} 次",
        "tier_plan": "您的「{plan}」有效至 {until}。",
        "and_list": "、",
        "perk": "· {name}",
        "perk_left": "· {name}(本月还可用 {left} 次)",
        "perk_used": "· {name}(本月已用完)",
        "perk_none": "这位会员现在没有「{perk}」这项权益。",
        "perk_used_up": "「{perk}」每月 {most} 次,本月已用完。",
        "plan_unknown": "没有「{plan}」这种付费会员。",
        "checked_in": "签到成功,送您 {points} 积分,已连续签到 {streak} 天。\n您现有 {balance} 积分。",
        "checked_in_already": "今天已经签到过了,连续签到 {streak} 天。明天再来吧!\n您现有 {balance} 积分。",
        "checkin_next": "再连续签到 {days} 天,多送 {points} 积分。",
        "checkin_off": "现在没有签到活动。结账时报手机号就能积分,回复「积分」看看有多少。",
        "gift_points": "{points} 积分",
        "gift_coupon": "一张「{title}」(券码 {code},{until} 前有效)",
        "notice_gift": "{shop}送您好礼({title}):{gift}。回复「优惠券」或「积分」查看。",
        "reason_notice_gift": "赠送到账,告诉会员",
        "notice_birthday": "祝您生日快乐!{shop}送您一份{title}:{gift}。",
        "reason_notice_birthday": "会员生日",
        "notice_tier": "恭喜您升级为{shop}的{after}会员!{reason}。回复「等级」看看有什么权益。",
        "reason_notice_tier": "会员升级",
        "notice_tier_lower": "您在{shop}的等级由{before}调整为{after}:{reason}。回复「等级」看看怎样再升级。",
        "reason_notice_tier_lower": "会员等级下调",
        "notice_tier_grace": "您的{tier}已到期,{missing}。在 {last} 前达到就能继续保留。回复「等级」查看。",
        "reason_notice_tier_grace": "等级到期,提醒保级",
        "notice_points_expiry": "提醒:您有 {points} 积分即将到期,最早的在 {last} 之后失效。回复「积分」看看能换什么。",
        "reason_notice_points_expiry": "积分即将到期",
        "amount_range": "数额不对:要大于0,且不能超过1亿元。",
        "order_no": "单号要有1到{most}个可见的字,前后不留空格。",
        "order_future": "时间还没到,请核对收银机的时钟。",
        "order_old": "这笔消费是{days}天以前的,不能再入账。",
        "order_lines": "订单明细不对:每行要有商品编码和至少1件,券码不能重复。",
        "order_sum": "订单明细加起来和合计对不上。",
        "order_pay_too_much": "余额支付不能多于订单合计。",
        "order_needs_member": "用余额支付要先知道是哪位会员。",
        "order_discount_missing": "订单用了优惠券,合计里却没有优惠,请先减去优惠再入账。",
        "order_conflict": "单号 {no} 已有另一笔内容不同的订单。",
        "order_unknown": "没有找到这笔订单。",
        "buyer_kind": "买家要用这些方式之一说明:{kinds}",
        "refund_too_much": "退得太多了,没有做任何变动。",
        "refund_conflict": "退款单号 {no} 已有另一笔内容不同的退款。",
        "refund_sum": "退货明细加起来和退款金额对不上。",
        "refund_line": "商品 {sku} 不能这样退:订单里没有,或退得比买的多。",
        "coupon_not_theirs": "这张券是另一位会员的,不能用在这笔消费上。",
        "adopted": "您之前的 {count} 笔消费也记到您名下了,积分已补上。",
        "notice_bind_prompt": "感谢光临{shop}!刚才这笔消费还没有积分:绑定手机号就能补上,以后查积分、优惠券也方便。回复「绑定」开始。",
        "reason_notice_bind_prompt": "付了款但还不是会员,请其绑定",
        # coupons: what the books and a basket refuse, slots, on the way to a friend
        "coupon_budget": "「{title}」的活动预算用完了,不能再发。",
        "coupon_day": "这种券今天的 {most} 张已经发完,请在{at}以后再试。",
        "coupon_locked": "「{title}」正在收银台结账,{at} 以后或结账取消后才能再用。",
        "coupon_not_used": "「{title}」还没有用过,不用退回。",
        "coupon_wrong_store": "「{title}」不能在这家门店使用。",
        "coupon_not_yet": "「{title}」从 {day} 起才能使用。",
        "coupon_wrong_time": "「{title}」现在不在可用的时段。",
        "coupon_scope": "「{title}」不适用于所买的商品。",
        "coupon_threshold": "「{title}」还没到使用门槛,还差 {gap}。",
        "coupon_bundle": "「{title}」要凑齐套餐里的商品才能用。",
        "coupon_free": "「{title}」要先选好可以免单的商品。",
        "coupon_nothing": "「{title}」没有可以再减的金额。",
        "coupon_stack": "「{title}」不能和已选的券一起用。",
        "codes_locked": "券码输错次数太多,为了安全请过{minutes}分钟再试。",
        "coupon_not_transferable": "「{title}」不能转赠。",
        "coupon_not_bookable": "这张券现在不能预约。",
        "slot_full": "这个时段已经约满或已经开始,请换一个。",
        "slot_too_late": "这个时段在券的有效期以后,请换一个早一点的。",
        "notice_coupon_ending": "您有 {count} 张券将在 {until} 到期,别忘了用:\n{lines}\n回复「优惠券」查看用法。",
        "coupon_ending_line": "· {title} 券码 {code}",
        "reason_notice_coupon_ending": "优惠券快到期,提醒会员一次",
        "coupons_one": "回复「优惠券 1」看第一张的二维码。",
        "coupon_not_yours": "您的可用券里没有这一张。回复「优惠券」看看编号和券码。",
        "coupon_one": "券码 {code}\n{until} 前有效\n用法:{how}。\n出示码 {token}\n出示码两分钟内有效,请结账时现取现用。",
        "coupon_since": "{day} 起可用。",
        "coupon_booked": "已预约 {at}。",
        "coupon_book_how": "回复「预约 {no}」选时间。",
        "coupon_transfer_how": "想送给朋友,回复「转赠 {no}」。",
        "transfer_how": "这些券可以送给朋友,请回复「转赠」加编号,例如:转赠 1",
        "transfer_line": "{no}. {title}",
        "transfer_nothing": "您现在没有可以转赠的券。",
        "transfer_offered": (
            "送您一张「{title}」!在{shop}的公众号里回复:\n领取 {word}\n——\n"
            "把上面的话发给朋友,{hours}小时内领取有效。领取前您仍可自己使用,想收回请回复「取消转赠」加编号。"
        ),
        "transfer_withdrawn": "已收回「{title}」的转赠。",
        "transfer_none": "「{title}」没有在转赠中。",
        "claim_how": "请回复「领取」加朋友给您的领取码,例如:领取 K7QF-2MDX-9TA0",
        "claimed": "「{title}」归您了!\n券码 {code}\n{until} 前有效。回复「优惠券」查看。",
        "notice_transfer_claimed": "朋友已领取您转赠的「{title}」。",
        "reason_notice_transfer_claimed": "朋友领取了转赠的券,告诉送券的会员",
        "slots": "「{title}」可以预约的时间,请回复「预约 {no}」加时间编号,例如:预约 {no} 1",
        "slot_line": "{no}. {at}(还有 {left} 位)",
        "slots_none": "「{title}」最近的时间都约满了,请过几天再看看。",
        "booked": "「{title}」约好了:{at}。\n来不了请提前回复「取消预约 {no}」。",
        "booking_cancelled": "已取消「{title}」的预约。",
        "booking_none": "「{title}」没有可以取消的预约。",
        "book_which": "您有几张可以预约的券,请回复「预约」加券的编号。回复「优惠券」看编号。",
        "book_nothing": "您没有可以预约的券。",
        "transfer_unknown": "没有这个领取码,请核对后再发一次。",
        "transfer_self": "这是您自己的券,把领取码发给朋友就行。",
        "transfer_gone": "这张券已经被领走、用掉或收回了。",
        # two members who are one person, and tags
        "merge_same": "同一位会员不能和自己合并。",
        "merge_reason": "请写明合并的原因,最多{most}个字。",
        "merge_gone": "没有编号 {member} 的会员,或已注销。",
        "merge_merged": "会员 {member} 已经并入会员 {into}。",
        "merge_unknown": "没有这次合并。",
        "merge_undone": "这次合并已经撤销过了。",
        "merge_covered": "合并后的会员后来又并入了别的会员,请先撤销那一次。",
        "notice_merged": "您在{shop}的两个会员账户已合并:积分 {points},余额 {balance},可用优惠券 {coupons} 张。如果不是您要求的,请马上联系门店{service}。",
        "reason_notice_merged": "两位会员合并,告诉会员",
        "notice_unmerged": "您在{shop}的会员账户合并已撤销:积分 {points},余额 {balance},可用优惠券 {coupons} 张。如有疑问请联系门店{service}。",
        "reason_notice_unmerged": "撤销会员合并,告诉会员",
        "bad_tag": "标签要有1到{most}个字。",
        # the books: points into rewards and partners, the statement, what they refuse
        "points_pending": "另有 {amount} 积分待生效,最早 {date} 可用。",
        "points_owed": "有 {amount} 积分待扣回,以后得到的积分会先用来抵扣。",
        "exchange": "您有 {points} 积分,可以兑换:",
        "exchange_reward": "{no}. {title} — {cost} 积分",
        "exchange_partner": "{no}. {title} — {rate}",
        "exchange_rate": "每 {points} 积分换 {units}{unit}",
        "exchange_which": "请回复序号选择,不换了请回复「取消」。",
        "exchange_choice": "请回复 1 到 {most} 的序号,不换了请回复「取消」。",
        "exchange_none": "本店暂时没有积分兑换。回复「积分」看看有多少积分。",
        "exchange_short": "您有 {points} 积分,再攒 {gap} 积分可换「{title}」。",
        "exchange_echo": "要用 {points} 积分兑换「{title}」吗?\n请回复「确认」兑换,不换了请回复「取消」。",
        "exchange_amount": "{title}:{rate}。\n要用多少积分?最多 {most}。不换了请回复「取消」。",
        "exchange_echo_partner": "要用 {points} 积分兑换{title} {got}吗?\n请回复「确认」兑换,不换了请回复「取消」。",
        "exchange_insufficient": "您现有 {points} 积分,不够这次兑换。请换一个数,或回复「取消」。",
        "exchange_changed": "兑换规则刚刚变了,请回复「兑换」重新看看。",
        "exchanged": "兑换成功!用去 {points} 积分,得「{title}」\n券码 {code}\n{until} 前有效。您还有 {left} 积分。",
        "exchanged_partner": "兑换成功!用去 {points} 积分,得{title} {got}。您还有 {left} 积分。",
        "partner_unknown": "没有这种积分兑换。",
        "partner_least": "换{title}至少要 {least} 积分,而且要是 {unit} 的整数倍。",
        "topup_range": "一次充值要在 {least} 元到 {most} 元之间。",
        "member_merged": "这位会员已并入另一位会员,不能再撤销,请到另一位会员名下处理。",
        "notice_voucher": "您的 {points} 积分已换成「{title}」\n券码 {code}\n{until} 前有效。回复「优惠券」查看。",
        "reason_notice_voucher": "积分按期换券,告诉会员",
        "statement": (
            "您的账目(会员编号 {member}):\n积分 {points}\n本金 {principal}\n赠送 {gift}\n共 {entries} 笔,账链末端\n{head}"
        ),
        "statement_pending": "待生效积分 {points}",
        "statement_owed": "待扣回积分 {points}",
        "statement_how": (
            "末端这串字由每一笔账依次算出,改动任何一笔它都会变。\n可向门店要一份完整对账单,用核对程序算出的末端与此相同,账就没有被改过。"
        ),
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
