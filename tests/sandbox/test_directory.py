"""Menu, tags, codes, followers' records, media (PLATFORM.md, "Others" and "Cannot")."""

from pathlib import Path
from typing import Any

import pytest

from bot.sandbox import Person
from tests.sandbox.shop import MENU, Bench, Shop, bench

pytestmark = pytest.mark.anyio


def crowd(size: int) -> Shop:
    return Shop(members=[Person(f"o{n:05}", f"会员{n}", "member") for n in range(size)])


async def tag(b: Bench, name: str) -> int:
    return int((await b.api("tags/create", {"tag": {"name": name}}))["tag"]["id"])


async def test_the_menu_is_kept_and_shown(b: Bench) -> None:
    assert await b.code("menu/get") == 46003
    assert await b.api("menu/create", MENU) == {"errcode": 0, "errmsg": "ok"}
    assert await b.api("menu/get") == {"menu": MENU}
    assert (await b.http.get("/sandbox/api/state")).json()["menu"] == MENU["button"]


@pytest.mark.parametrize(
    ("menu", "code"),
    [
        ({}, 40016),
        ({"button": [{"name": str(n), "type": "click", "key": "k"} for n in range(4)]}, 40016),
        ({"button": [{"name": "更多", "sub_button": [{"name": str(n)} for n in range(6)]}]}, 40023),
    ],
)
async def test_menus_that_are_too_large(b: Bench, menu: dict[str, Any], code: int) -> None:
    assert await b.code("menu/create", menu) == code


async def test_a_conditional_menu_matches_tags_only(b: Bench) -> None:
    gold = await tag(b, "金卡")
    special = {"button": [{"type": "click", "name": "金卡专享", "key": "GOLD"}]}
    rule = {"matchrule": {"tag_id": str(gold)}}
    assert await b.code("menu/addconditional", special | rule) == 65303
    await b.api("menu/create", MENU)
    assert await b.code("menu/addconditional", special | {"matchrule": {"sex": "1"}}) == 47001
    assert "menuid" in await b.api("menu/addconditional", special | rule)
    await b.api("tags/members/batchtagging", {"openid_list": ["alice"], "tagid": gold})
    people = {p["openid"]: p for p in (await b.http.get("/sandbox/api/state")).json()["people"]}
    assert people["alice"]["menu"] == special["button"] and "menu" not in people["bob"]
    await b.act("menu", openid="alice", key="GOLD")
    assert await b.refused("menu", openid="bob", key="GOLD") == "菜单里没有这一项"


async def test_at_most_100_tags_and_no_two_alike(b: Bench) -> None:
    assert [await b.code("tags/create", {"tag": {"name": f"标签{n}"}}) for n in range(101)] == [0] * 100 + [45056]
    assert await b.code("tags/create", {"tag": {"name": "标签1"}}) == 45157
    assert await b.code("tags/create", {"tag": {"name": "长" * 31}}) == 45158
    assert await b.code("tags/create", {}) == 47001
    assert len((await b.api("tags/get"))["tags"]) == 100


async def test_tagging_50_openids_at_once_and_20_tags_a_user() -> None:
    async with bench(crowd(51)) as b:
        tags = [await tag(b, f"标签{n}") for n in range(21)]
        everybody = [person.openid for person in b.shop.members]
        add = "tags/members/batchtagging"
        assert await b.code(add, {"openid_list": everybody, "tagid": tags[0]}) == 40032
        assert await b.code(add, {"openid_list": everybody[:50], "tagid": tags[0]}) == 0
        assert await b.code(add, {"openid_list": ["o00000"], "tagid": 1}) == 45159
        codes = [await b.code(add, {"openid_list": ["o00000"], "tagid": id_}) for id_ in tags[1:]]
        assert codes == [0] * 19 + [45059]
        assert await b.code(add, {"openid_list": ["o00000"], "tagid": tags[0]}) == 0
        assert (await b.api("tags/get"))["tags"][0]["count"] == 50
        assert (await b.api("user/info", openid="o00000"))["tagid_list"] == tags[:20]


async def test_user_info_has_no_nickname_and_little_about_who_left(b: Bench) -> None:
    info = await b.api("user/info", openid="alice")
    assert info["subscribe"] == 1 and info["subscribe_time"] == int(b.shop.now.timestamp())
    assert not info.keys() & {"nickname", "headimgurl", "sex", "city", "phone"}
    await b.act("unfollow", openid="alice")
    assert await b.api("user/info", openid="alice") == {"subscribe": 0, "openid": "alice", "tagid_list": []}
    await b.act("scan", openid="alice", scene="store-1")
    again = await b.api("user/info", openid="alice")
    assert (again["subscribe_scene"], again["qr_scene_str"]) == ("ADD_SCENE_QR_CODE", "store-1")
    assert (await b.api("user/info", openid="nobody"))["errcode"] == 40003


async def test_user_info_100_a_batch() -> None:
    async with bench(crowd(101)) as b:
        users = [{"openid": person.openid} for person in b.shop.members]
        assert await b.code("user/info/batchget", {"user_list": users}) == 40032
        assert len((await b.api("user/info/batchget", {"user_list": users[:100]}))["user_info_list"]) == 100
        assert await b.code("user/info/batchget", {}) == 47001


async def test_user_list_10000_a_page() -> None:
    async with bench(crowd(10_001)) as b:
        first = await b.api("user/get")
        assert (first["total"], first["count"], first["next_openid"]) == (10_001, 10_000, "o09999")
        second = await b.api("user/get", next_openid="o09999")
        assert (second["count"], second["data"]["openid"]) == (1, ["o10000"])
        assert "data" not in await b.api("user/get", next_openid="o10000")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"action_name": "QR_DANCE"}, 40052),
        ({"action_name": "QR_STR_SCENE"}, 40053),
        ({"action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "长" * 65}}}, 40053),
        ({"action_name": "QR_SCENE", "action_info": {"scene": {"scene_id": 0}}}, 40053),
        (
            {"action_name": "QR_SCENE", "expire_seconds": 2592001, "action_info": {"scene": {"scene_id": 1}}},
            40053,
        ),
    ],
)
async def test_codes_that_cannot_be_made(b: Bench, body: dict[str, Any], code: int) -> None:
    assert await b.code("qrcode/create", body) == code


async def test_a_code_of_30_days_and_64_characters(b: Bench) -> None:
    scene = {"scene": {"scene_str": "s" * 64}}
    body = {"action_name": "QR_STR_SCENE", "expire_seconds": 2592000, "action_info": scene}
    answer = await b.api("qrcode/create", body)
    assert set(answer) == {"ticket", "expire_seconds", "url"}


async def upload(
    b: Bench, content: bytes, kind: str = "image", name: str = "media", content_type: str = "image/png"
) -> dict[str, Any]:
    query = {"access_token": (await b.fetch_token())["access_token"], "type": kind}
    files = {name: ("picture.png", content, content_type)}
    answer = await b.http.post("/sandbox/cgi-bin/media/upload", params=query, files=files)
    got: dict[str, Any] = answer.json()
    return got


async def test_media_live_three_days(b: Bench) -> None:
    media_id = (await upload(b, b"\r\n--bytes\r\n\n\x00"))["media_id"]
    b.shop.pass_time(days=3, seconds=-1)
    assert (await b.http.get(f"/sandbox/media/{media_id}")).content == b"\r\n--bytes\r\n\n\x00"
    b.shop.pass_time(seconds=1)
    gone = await b.http.get(f"/sandbox/media/{media_id}")
    assert (gone.status_code, gone.json()["errcode"]) == (404, 40007)


async def test_old_media_are_deleted_from_disk_and_a_page_is_never_served_as_one(tmp_path: Path) -> None:
    async with bench(Shop(), tmp_path / "sandbox.json") as b:
        await upload(b, b"<script>", content_type="text/html")
        (file,) = (tmp_path / "sandbox.json.media").iterdir()
        served = await b.http.get(f"/sandbox/media/{file.name}")
        assert (served.content, served.headers["content-type"]) == (b"<script>", "application/octet-stream")
        b.shop.pass_time(days=3)
        newer = (await upload(b, b"new"))["media_id"]
        assert [file.name for file in (tmp_path / "sandbox.json.media").iterdir()] == [newer]


async def test_media_that_cannot_be_uploaded(b: Bench) -> None:
    assert (await upload(b, b"x" * (2 * 1024 * 1024 + 1)))["errcode"] == 45001
    assert "media_id" in await upload(b, b"x" * (2 * 1024 * 1024))
    assert (await upload(b, b"x", kind="poem"))["errcode"] == 40004
    assert (await upload(b, b"x", name="file"))["errcode"] == 41005
    assert (await upload(b, b""))["errcode"] == 41005
    assert (await b.http.get("/sandbox/media/..%2Fsecrets")).status_code == 404


async def test_callback_ips(b: Bench) -> None:
    assert await b.api("getcallbackip") == {"ip_list": ["127.0.0.1"]}
