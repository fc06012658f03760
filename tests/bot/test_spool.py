"""What was acknowledged before it was booked is on the disk, sealed, and survives whatever else lies there."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.inbound import inbound_of, parse_xml
from bot.spool import Spool
from handlers.inbound import Inbound
from members.vault import Vault, generate_key

OLD, NEW = generate_key(), generate_key()


def message(number: int, text: str = "绑定 13800138000") -> Inbound:
    body = (
        f"<xml><ToUserName>gh</ToUserName><FromUserName>o-anna</FromUserName><CreateTime>{number}</CreateTime>"
        f"<MsgType>text</MsgType><Content><![CDATA[{text}]]></Content><MsgId>{number}</MsgId>"
        "<SendLocationInfo><Scale>1</Scale><Poi/></SendLocationInfo></xml>"
    )
    return inbound_of(parse_xml(body.encode()))


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", Vault({"k1": OLD}))


def test_it_comes_back_as_it_was(spool: Spool) -> None:
    assert list(spool.pending()) == [], "a folder that was never needed is no error"
    kept = [message(1), message(2, "x" * 60_000), message(3, "]]&gt; 😀")]
    for inbound in kept:
        spool.add(inbound)
        spool.add(inbound)
    assert sorted(spool.pending(), key=lambda m: m.created) == kept
    for inbound in kept:
        spool.remove(inbound.key)
        spool.remove(inbound.key)
    assert list(spool.pending()) == []


def test_nobody_else_reads_it(spool: Spool, tmp_path: Path) -> None:
    spool.add(message(1))
    folder = tmp_path / "spool"
    content = b"".join(path.read_bytes() for path in folder.iterdir())
    assert b"13800138000" not in content and b"o-anna" not in content and "绑定".encode() not in content
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_rotated_key_still_opens_it(spool: Spool, tmp_path: Path) -> None:
    spool.add(message(1))
    rotated = Spool(tmp_path / "spool", Vault({"k2": NEW, "k1": OLD}))
    assert list(rotated.pending()) == [message(1)]


@pytest.mark.parametrize("rubbish", [b"", b"k1\0", b"k1\0" + b"x" * 40, b"k9\0" + b"x" * 40, b"\xff" * 64])
def test_rubbish_keeps_nothing_else_back(spool: Spool, tmp_path: Path, rubbish: bytes) -> None:
    spool.add(message(1))
    spool.add(message(2))
    bad = tmp_path / "spool" / "0000.late"
    bad.write_bytes(rubbish)
    (tmp_path / "spool" / "ffff.12345").write_bytes(b"a draft of a process that died")
    assert sorted(m.created for m in spool.pending()) == [1, 2]
    assert bad.exists(), "what does not open is kept for a person to look at"


def test_a_write_that_failed_leaves_the_earlier_one(spool: Spool, tmp_path: Path) -> None:
    spool.add(message(1))
    spool.add(message(2))
    blocked = tmp_path / "spool" / f"{message(2).key}.late"
    blocked.unlink()
    blocked.mkdir()
    with pytest.raises(OSError):
        spool.add(message(2))
    assert list(spool.pending()) == [message(1)]
    assert len(list((tmp_path / "spool").iterdir())) == 2, "no draft stays behind"


def test_retries_are_written_side_by_side(spool: Spool, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(spool.add, [message(1)] * 64))
    assert list(spool.pending()) == [message(1)]
    assert len(list((tmp_path / "spool").iterdir())) == 1
