"""What members get for coming by."""

from handlers.context import Context, Reply
from handlers.inbound import Inbound
from handlers.understanding import Understood
from members import checkin as books


def checkin(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Check in once a day, where the shop gives points for it."""
    rule = ctx.rules.loyalty.checkin
    if rule is None:
        return Reply(ctx.copy.text("checkin_off"))
    done = books.check_in(ctx.connection, ctx.rules, ctx.member.id, by=ctx.by, now=ctx.now)
    facts = {"points": done.points, "streak": done.streak, "balance": f"{done.balance:,}"}
    parts = [ctx.copy.text("checked_in" if done.created else "checked_in_already", **facts)]
    coming = books.next_bonus(rule, done.streak)
    if coming is not None:
        parts.append(ctx.copy.text("checkin_next", days=coming[0], points=coming[1]))
    return Reply("\n".join(parts))
