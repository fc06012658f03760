"""What a campaign may not be: names nobody knows, templates unfit for their use, channels the platform keeps closed."""

from collections.abc import Iterable, Iterator, Mapping

from members.coupons import CATEGORY, PRODUCT
from members.rules import CouponRule
from members.segments import EVERYBODY
from scheduler.channels import RULES, Channel
from scheduler.rules import Bundle, Campaign, Repurchase, TradeUp

NOT_MASS = "每位会员的文案和券码不同,mass 群发只能发同一内容"
Problem = tuple[tuple[str | int, ...], str, str | None]


def illegal_channels(
    campaigns: Mapping[str, Campaign],
    *,
    segments: Iterable[str] = (),
    templates: Mapping[str, CouponRule],
    subscriptions: Iterable[str] = (),
) -> Iterator[Problem]:
    """Yield (path below `campaigns`, what is wrong, the unknown name or None): channels and names that cannot be.

    The third part is what the caller looks up for its did-you-mean.
    """
    known_segments = {EVERYBODY, *segments}
    for name, campaign in campaigns.items():
        if campaign.to not in known_segments:
            yield (name, "to"), f"没有叫「{campaign.to}」的人群", campaign.to
        for path, code in () if campaign.offer is None else campaign.offer.codes():
            if code not in templates:
                yield (name, "offer", *path), f"没有叫「{code}」的券模板", code
            elif wrong := _unfit(campaign, str(path[0]), templates[code]):
                yield (name, "offer", *path), f"「{code}」{wrong}", None
        yield from _subscription(name, campaign, set(subscriptions))
        for index, channel in enumerate(campaign.channels):
            if refusal := refused(campaign, channel):
                yield (name, "channels", index), refusal, None


def _unfit(campaign: Campaign, field: str, rule: CouponRule) -> str:
    """Return why a template can't be what a campaign uses it for, or nothing when it can."""
    scope = rule.scope
    narrow = bool(scope.category or scope.products or scope.brands)
    if field == "plain" and CATEGORY in rule.title + scope.category:
        return "按品类发,不能当通用券"
    if field == "template" and isinstance(campaign, TradeUp):
        if scope.category != CATEGORY and scope.products != [PRODUCT]:
            return f'不是按每个人发的:要写 scope.products: ["{PRODUCT}"] 或 scope.category: "{CATEGORY}"'
        return _wrong_title(rule)
    if field == "template" and isinstance(campaign, Bundle):
        if rule.bundle is None:
            return "不是套餐券:要写 bundle,第一样是要清的"
        return "发给每个人的都一样,标题里不能有花括号" if CATEGORY in rule.title or PRODUCT in rule.title else ""
    if field in ("plain", "template") and (PRODUCT in rule.title or PRODUCT in scope.products):
        return "按商品发,只能放在券包的 offer.product 或升级推荐里"
    if field == "product":
        if rule.percent is None and rule.off is None:
            return "不能当品类券:要写 percent 或 off,才算得出预计花多少"
        if not scope.category and not scope.products:
            return f"没有限定品类或商品:要写 scope.category(可以是 {CATEGORY})或 scope.products"
        return _wrong_title(rule)
    if field == "spend":
        if rule.off is None or not rule.off < rule.over:
            return "不是满减券:off 和 over 都要写,off 小于 over"
        if narrow or CATEGORY in rule.title or PRODUCT in rule.title:
            return "限定了品类、商品或品牌,不能当满减券"
    return ""


def _wrong_title(rule: CouponRule) -> str:
    """Return what a title names that the coupon is not on."""
    if rule.scope.category != CATEGORY and CATEGORY in rule.title:
        return f"的标题里有 {CATEGORY},scope.category 也要写 {CATEGORY}"
    if PRODUCT in rule.title and PRODUCT not in rule.scope.products:
        return f"的标题里有 {PRODUCT},scope.products 也要写 {PRODUCT}"
    return ""


def _subscription(name: str, campaign: Campaign, known: set[str]) -> Iterator[Problem]:
    if campaign.subscription is not None and campaign.subscription not in known:
        yield (name, "subscription"), f"没有叫「{campaign.subscription}」的订阅通知", campaign.subscription
    if Channel.SUBSCRIPTION in campaign.channels and campaign.subscription is None:
        where = (name, "channels", campaign.channels.index(Channel.SUBSCRIPTION))
        yield where, "用 subscription 渠道要在 subscription 里写订阅通知的名字", None


def refused(campaign: Campaign, channel: Channel) -> str:
    """Return why the platform does not let this channel carry the campaign, or nothing when it does.

    A subscription notice carries the reminder that was consented to, without the coupon's words.
    """
    rules = RULES[channel]
    reminder = isinstance(campaign, Repurchase)
    if channel is Channel.MASS:
        return NOT_MASS
    if channel is Channel.STAFF_TASK:
        return "staff_task 还不能用"
    if reminder and not rules.reminders:
        return f"{channel} 不能发补货提醒:平台只允许它通知会员自己刚做的事,发营销会被封号"
    if not reminder and not rules.offers:
        return f"{channel} 不能发优惠:平台只允许它发会员订阅的通知或会员自己刚做的事,发营销会被封号"
    return ""
