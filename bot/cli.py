"""The `memberbot` command: everything that prints for people also prints --json for programs.

A command's module is imported when the command is called, so that help and small commands need not wait for the rest.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import structlog
import typer
from typer.core import TyperCommand


class Part(NamedTuple):
    """A command: `module:function` below bot/, what its help begins with, and click's settings of its context."""

    where: str
    help: str
    settings: dict[str, Any] = {}


class Group(NamedTuple):
    """Commands below one word."""

    help: str
    parts: Mapping[str, "Part | Group"]


TREE: Mapping[str, Part | Group] = {
    "serve": Part("command_serve:serve", "跑服务:回调、定时任务和发送(--no-scheduler 时只有回调)"),
    "work": Part("command_serve:work", "只跑定时任务和发送,不开 HTTP;给第二台机器用"),
    "demo": Part("command_serve:run_demo", "装好示范店,在一个端口上跑服务、定时任务和本地微信平台"),
    "say": Part(
        "command_serve:say", "经本地平台和真正签名的回调说一句话,打印回复",
        {"ignore_unknown_options": True},  # 「-5」 is something one may say
    ),
    "key": Part("command_key:key", "生成一把新的主密钥,写进 privacy.keys"),
    "config": Group("检查配置", {
        "check": Part("command_checks:config_check", "列出配置的每个错误和位置;有错时退出码为 1"),
        "schema": Part("command_checks:config_schema", "打印 config.yaml 的 JSON Schema,给编辑器用"),
    }),
    "db": Group("数据库结构", {
        "upgrade": Part("command_checks:db_upgrade", "把数据库结构升到最新版本"),
        "check": Part("command_checks:db_check", "比较程序与数据库的结构;不一致时退出码为 1"),
    }),
    "audit": Part("command_checks:audit", "核对账目、优惠券和发件箱的每一条规则;有不符时列出并以 1 退出"),
    "import": Group("导入数据", {
        "completejourney": Part(
            "command_shop:import_completejourney", "导入示范店:2,469 户人家一年的购买(数据 © 84.51°)"
        ),
        "members": Part("command_import:members", "导入会员和他们名下的一切;可以重复导入"),
        "products": Part("command_import:products", "导入商品,新的和有变化的;可以重复导入"),
        "orders": Part("command_import:orders", "导入订单,一行一件或一行一单,近期的照样积分;可以重复导入"),
    }),
    "segment": Group("人群", {
        "list": Part("command_shop:segment_list", "列出 config.yaml 里的人群和人数"),
        "count": Part("command_shop:segment_count", "数一个人群的人数"),
        "export": Part("command_shop:segment_export", "打印一个人群的会员编号,一行一个"),
    }),
    "campaign": Group("营销活动", {
        "list": Part("command_shop:campaign_list", "列出 config.yaml 里的活动"),
        "plan": Part("command_shop:campaign_plan", "选定给谁、给什么、为什么、走哪条合法的渠道;什么也不发"),
        "apply": Part("command_shop:campaign_apply", "把一份计划的消息放进发件箱;过期的计划不收"),
    }),
    "staff": Group("店员", {
        "add": Part("command_staff:staff_add", "添加店员:--phone 打印邀请口令,--openid 立即生效"),
        "invite": Part("command_staff:staff_invite", "给店员一个新的邀请口令,例如换了微信;旧的作废"),
        "revoke": Part("command_staff:staff_revoke", "立即停用一位店员,等他确认或审批的也一并作废"),
        "list": Part("command_staff:staff_list", "列出店员"),
        "trail": Part("command_members:staff_trail", "一位店员做过、批过什么,新的在前"),
    }),
    "member": Group("会员", {
        "show": Part("command_members:member_show", "按编号、手机号或 openid 查看会员;手机号打码"),
        "merge": Part("command_members:merge", "把一位会员连同名下的一切并入另一位;member unmerge 可以撤回"),
        "unmerge": Part("command_members:unmerge", "把并入的会员再分开:还在的退回去,已不在的说清楚"),
        "history": Part("command_members:history", "会员有过的每个身份的起止、每次合并;手机号打码"),
        "export": Part("command_members:export", "把账上关于会员的一切打印或写成 JSON,给会员本人看;会留审计记录"),
        "erase": Part("command_members:erase", "开始注销冷静期,加 --now 立即遗忘;还有本金要退时不办"),
        "trail": Part("command_members:member_trail", "对会员做过的事,新的在前:何时、何人、从哪里、谁批准、前后如何"),
    }),
    "wechat": Group("公众平台", {
        "qr": Part("command_wechat:qr", "为一个场景生成二维码并打印地址;它指的东西必须存在"),
        "menu": Group("底部菜单", {
            "push": Part("command_wechat:menu_push", "用 config.yaml 的菜单替换公众号的菜单"),
        }),
    }),
    "apikey": Group("收银机和商城的 API 密钥", {
        "add": Part("command_api:apikey_add", "生成一把密钥;只打印这一次,账上只留散列"),
        "list": Part("command_api:apikey_list", "列出密钥,不含密文"),
        "revoke": Part("command_api:apikey_revoke", "立即停用一把密钥"),
    }),
    "report": Group("报表", {
        "liability": Part("command_books:report_liability", "会员手里的积分、余额和券可能要花多少,预计会用多少"),
        "value": Part("command_boards:value", "最近一年的销售怎样分布在会员身上:十分位、生命周期、RFM、自有品牌"),
        "habits": Part("command_boards:habits", "哪些商品比碰巧更常一起买,会员往上买到哪些更贵的"),
        "slow": Part("command_boards:slow", "一份库存里哪些商品压得最久,各能和什么凑成一套"),
    }),
    "model": Group("推荐与补货的模型", {
        "fit": Part("command_models:fit", "重新学习模型,留下在最新几天里不更差的,再给每位会员打分"),
        "score": Part("command_models:score", "用正在用的模型给每位会员打分"),
        "show": Part("command_models:show_models", "有哪些模型、各自在没见过的日子里如何、上次何时打分"),
        "rollback": Part("command_models:rollback", "换回上一个模型,并用它给每位会员打分"),
    }),
    "statement": Part("command_books:statement", "打印或写出会员账上的每一行;verify FILE 核对一份,被改过时以 1 退出"),
    "recommend": Part("command_insight:recommend", "会员接下来可能要什么,每个品类一件,以及为什么"),
    "repurchase": Part("command_insight:repurchases", "会员的补货周期,最近该买的在前,各有多大把握"),
    "nlu": Part("command_nlu:nlu", "每句话(或标准输入的每一行)的意图、把握和要点"),
    "evaluate": Part("command_evaluate:evaluate", "推荐和提醒在没见过的日子里有多准,与简单的方法比"),
}  # fmt: skip


class Deferred(TyperCommand):
    """A command of `TREE` by its name and help alone; parameters and function come with the call."""

    part: Part

    def loaded(self) -> Any:
        """Return the command with its parameters."""
        module, _, function = self.part.where.partition(":")
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        decorated = alone.command(self.name, help=self.part.help, context_settings=self.part.settings)
        decorated(getattr(import_module(f"bot.{module}"), function))
        return typer.main.get_command(alone)

    def make_context(self, *given: Any, **more: Any) -> Any:
        """Read the words as the command itself does; click then calls that, not this."""
        return self.loaded().make_context(*given, **more)


def grown(help: str, parts: Mapping[str, Part | Group]) -> typer.Typer:
    """Return the commands below one word."""
    here = typer.Typer(help=help, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
    for name, part in parts.items():
        if isinstance(part, Group):
            here.add_typer(grown(part.help, part.parts), name=name)
        else:
            here.command(name, cls=type("Of", (Deferred,), {"part": part}), help=part.help)(_not_here)
    return here


def _not_here() -> None:
    raise NotImplementedError


app = grown("服务号会员机器人", TREE)


def main() -> None:
    """Run the command line."""
    structlog.contextvars.clear_contextvars()
    app()


if __name__ == "__main__":
    main()
