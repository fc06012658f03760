"""What members read of their own data: the profile, what they may be sent, taking it along, leaving."""

from collections.abc import Mapping
from types import MappingProxyType

PRIVACY_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "profile": "您的资料\n手机 {phone} · {tier}会员",
        "profile_birthday": "生日 {birthday}",
        "profile_children": "孩子 {children}",
        "profile_unknown": "未填",
        "profile_store": "常去门店 {store}",
        "profile_pushes": "优惠和提醒:接收",
        "profile_pushes_most": "优惠和提醒:接收,30天最多{most}条",
        "profile_but": "(已退订 {topics})",
        "profile_no_pushes": "优惠和提醒:已退订,恢复请回复「恢复」",
        "profile_personal": "个性化推荐:开",
        "profile_plain": "个性化推荐:关",
        "profile_leaving": "注销申请中,{date} 之后完成;撤销请回复「撤销注销」",
        "profile_how": "直接说就能改,例如「生日 5月3日」「宝宝2023年6月1日出生」「每月最多2条」「不要个性化」。\n带走或删除资料:回复「导出我的数据」或「注销」。",
        "date_full": "{year}年{month}月{day}日",
        "date_month": "{year}年{month}月",
        "date_short": "{month}月{day}日",
        "birthday_ask": "请告诉我您的公历生日,例如「5月3日」或「1990-05-03」,生日礼会按时送到。\n不想填可以回复「取消」。",
        "birthday_lunar": "生日礼按公历送。请告诉我您的公历生日,例如「5月3日」。",
        "birthday_known": "您登记的生日是{birthday}。要更正请直接发新的日期,例如「5月3日」。",
        "birthday_echo": "您的生日记为 {birthday}(公历),对吗?\n只用来送生日礼;记下后一年内不能再改。\n正确请回复「确认」,不对请直接发正确的日期。",
        "birthday_set": "记下了,您的生日是{birthday}。到时有心意送上!",
        "birthday_same": "这已经是您登记的生日了,不用改。",
        "birthday_wait": "生日一年只能改一次,{at} 以后可以再改。如果登记错了,请联系门店{service}。",
        "birthday_wrong": "这个日期好像不对。请再说一次,例如「1990-05-03」。",
        "birthday_young": "未满{years}岁需要监护人同意,请由家长到门店办理。",
        "child_ask": "请告诉我宝宝的出生日期,例如「宝宝2023年6月1日出生」;还没出生就说预产期,例如「预产期明年3月」。\n不想填可以回复「取消」。",
        "child_ask_due": "恭喜您!预产期是什么时候?例如「预产期明年3月」或「怀孕20周」。\n不想填可以回复「取消」。",
        "child_lunar": "请说公历的日期,例如「宝宝2023年6月1日出生」。",
        "child_echo": (
            "宝宝 {date} 出生,现在是「{stage}」,对吗?\n14岁以下孩子的信息属于敏感个人信息:我们只加密保存这个日期,用来按成长阶段挑选优惠和提醒,不作他用;"
            "满14岁自动删除,您也随时可以回复「删除宝宝资料」。\n您是监护人并同意,请回复「确认」;不同意请回复「取消」。"
        ),
        "child_echo_due": (
            "预产期 {date},对吗?\n孕期和孩子的信息属于敏感个人信息:我们只加密保存这个日期,用来按孕期和成长阶段挑选优惠和提醒,不作他用;"
            "随时可以回复「删除宝宝资料」。\n您同意请回复「确认」;不同意请回复「取消」。"
        ),
        "child_set": "记下了,现在是「{stage}」,会随成长自动更新。随时可以回复「删除宝宝资料」。",
        "child_age": "这个日期不合适:可以记预产期一年内到14岁的孩子。请再说一次,例如「宝宝2023年6月1日出生」。",
        "child_known": "这个孩子的资料已经记下了。回复「资料」可以查看。",
        "child_most": "最多可以记{most}个孩子。要换请先回复「删除宝宝资料」。",
        "child_none": "没有登记孩子的资料。",
        "child_which": "要删除哪一个?请回复序号:\n{lines}",
        "child_option": "第{no}个({stage})",
        "child_option_all": "全部",
        "child_removed": "已删除,相关的推荐和提醒也停了。",
        "topic_marketing": "优惠券和活动",
        "topic_reminder": "补货提醒",
        "topic_refused": "好的,不再给您发「{topic}」,立即生效。想恢复请回复「恢复 {topic}」。",
        "topic_refused_already": "「{topic}」您已经退订了。想恢复请回复「恢复 {topic}」。",
        "topic_allowed": "好的,恢复接收「{topic}」。随时可回复「退订 {topic}」。",
        "topic_allowed_already": "「{topic}」您没有退订,不用恢复。",
        "topic_only": "好的,只给您发「{topic}」,其他都不发了。想全部恢复请回复「恢复」。",
        "topic_unknown": "没有叫「{topic}」的消息。可以说「退订 补货提醒」「退订 优惠券」,或「退订」停收全部。",
        "resubscribed_but": "「{topics}」您单独退订过,仍然不发;要恢复请再回复一次「恢复」。",
        "attention_set": "好的,30天内最多给您发{most}条优惠和提醒。不想限制请回复「不限条数」。",
        "attention_none": "好的,不会主动给您发优惠和提醒。不想限制请回复「不限条数」。",
        "attention_off": "好的,不再限制条数,我们仍会克制。",
        "attention_most": "每月条数请说0到{most},例如「每月最多2条」。",
        "export_link": "这是您的全部资料,{hours}小时内({until} 前)有效:\n{link}\n链接只属于您,请不要转发。打开后可以查看和下载。",
        "export_wait": "导出链接刚刚给过您,请查看上面的消息;一小时后可以再要一次。",
        "export_no_address": "现在不能在微信里打开您的资料。请联系门店{service}或到店,我们核对手机号后把全部资料交给您。",
        "erase_ask": (
            "注销后,您的手机号、微信和资料会永久删除,不能恢复。一并失效:{lost}。\n申请后有{days}天冷静期,期间随时可以回复「撤销注销」。\n"
            "确定请回复「确认注销」,不注销请回复「取消」。"
        ),
        "erase_first": "储值本金 {principal} 是您的钱,不会作废:请先到门店办理退款,退完才会完成注销。",
        "erase_stranger": "您没有绑定会员,我们没有您的会员资料可以注销。",
        "lost_points": "{points} 积分",
        "lost_gift": "赠送金 {gift}",
        "lost_coupons": "{count} 张优惠券",
        "lost_units": "{many}{unit}",
        "lost_plan": "{plan}",
        "lost_tier": "{tier}等级",
        "erase_code": "为了您的账户安全,请验证手机号 {phone}。验证码已发送,{minutes}分钟内有效,请直接回复收到的6位数字。不注销请回复「取消」。",
        "erase_begun": "已收到您的注销申请,{date} 之后完成。在此之前回复「撤销注销」就能恢复,期间不会给您发优惠和提醒。",
        "erase_waiting": "您已申请注销,{date} 之后完成。想留下请回复「撤销注销」。",
        "erase_withdrawn": "注销已撤销,您的积分、余额和优惠券都还在。谢谢您留下来!",
        "erase_not_begun": "好的,没有注销,一切照旧。",
        "erase_none": "您没有申请注销。",
        "erase_asked_notice": "提醒:{time} 有人用您绑定的微信申请注销会员,已通过短信验证,{date} 之后完成。不是您本人或改了主意,请回复「撤销注销」。",
        "reason_erase_asked_notice": "会员申请注销",
        "reason_leaving": "会员正在注销",
        "erase_waits_notice": "您的注销还不能完成:{why}。办好后会自动完成;不想注销了请回复「撤销注销」。",
        "reason_erase_waits_notice": "注销还要等待",
        "erase_principal": "账户里还有储值本金,请先到门店办理退款",
        "erase_lock": "有一张优惠券正在收银台使用",
        "erase_approval": "门店有一笔业务还在等待审批",
        "member_erased": "这位会员已经注销。",
        "merge_leaving": "会员 {member} 正在注销冷静期。请先撤销注销,或等注销完成,再合并。",
    }
)

STAGES: Mapping[str, str] = MappingProxyType(
    {"new": "新会员", "active": "活跃", "slowing": "放缓", "dormant": "沉睡", "lost": "流失"}
)
EXPORT_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "card": "会员卡", "phone": "手机", "openid": "微信", "otp": "短信验证", "issued": "发卡", "import": "导入",
        "chat": "聊天", "member": "您自己", "staff": "店员", "inferred": "从购买推测", "backfill": "补登", "api": "门店系统",
        "merge": "合并", "unionid": "微信开放平台", "shop": "商城", **STAGES,
    }
)  # fmt: skip
EXPORT_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "profile": "基本资料", "identities": "绑定的手机、微信和卡", "children": "孩子", "tags": "标签",
        "scores": "推算的需要和补货时间", "day": "截至", "suggestions": "可能需要", "cycles": "补货周期", "upgrades": "可能的升级搭配",
        "rhythm": "几天来一次", "product": "商品", "usual": "常买", "chance": "可能", "last": "上次",
        "gap_days": "平均几天", "expected": "预计",
        "silence": "几天没来", "value_decile": "消费十分位", "rfm": "客户分类", "rfm_version": "分档版本", "loyalty": "品牌偏好",
        "consents": "您的选择", "consent_history": "选择的变更", "balances": "余额", "points_by_end": "积分到期",
        "movements": "积分和余额变动", "coupons": "优惠券", "gifts": "赠送", "tiers": "等级变动", "plans": "付费会员",
        "perks": "权益使用", "orders": "订单", "decisions": "为什么给您这些优惠", "campaigns": "活动分组",
        "messages": "发给您的消息", "tasks": "门店为您记的事", "wechat": "微信关注", "arrivals": "从哪里来",
        "handoffs": "人工服务", "invited": "邀请的好友", "erasures": "注销申请", "audit": "谁查看或改动过",
        "id": "会员编号", "created_at": "建立时间", "tier": "等级", "tier_since": "等级开始", "tier_until": "等级到期",
        "personalised": "个性化", "birthday": "生日", "attention": "30天最多条数", "home_store": "常去门店",
        "kind": "种类", "value": "内容", "since": "开始", "until": "结束", "source": "来源", "stage": "阶段",
        "date": "日期", "due": "预产期", "month_only": "只到月", "tag": "标签", "confidence": "把握", "at": "时间",
        "ended_at": "结束", "topic": "事项", "granted": "同意", "remaining": "剩余", "account": "账户",
        "balance": "余额", "earned_at": "获得", "matures_at": "生效", "expires_at": "到期", "amount": "数额",
        "balance_after": "变动后", "reason": "原因", "code": "券码", "title": "名称", "state": "状态",
        "issued_at": "发放", "redeemed_at": "使用", "redeemed_store": "使用门店", "discount": "优惠", "rule": "规则",
        "points": "积分", "before": "之前", "after": "之后", "plan": "计划", "price": "价格", "perk": "权益",
        "month": "月份", "used": "次数", "order_no": "单号", "store": "门店", "total": "合计", "refunded": "已退",
        "paid_principal": "本金支付", "paid_gift": "赠送金支付", "lines": "商品", "refunds": "退款", "name": "名称",
        "category": "品类", "quantity": "数量", "refunded_quantity": "退货数量", "refunded_amount": "退货金额",
        "cash_back": "退现", "campaign": "活动", "template": "券种", "trace": "依据", "period": "期次", "arm": "分组",
        "channel": "渠道", "content": "内容", "text": "内容", "result": "结果", "openid": "微信标识",
        "followed": "已关注", "followed_at": "关注", "unfollowed_at": "取消关注", "scene": "来源",
        "message_at": "最近消息", "near_store": "附近门店", "near_at": "定位时间", "event": "事件", "ref": "来源编号",
        "started_at": "开始", "asked_at": "申请", "due_at": "完成日", "actor": "谁", "action": "做了什么",
        "store_id": "门店", "origin": "从哪里", "approved_by": "谁批准", "detail": "详情",
    }
)  # fmt: skip
