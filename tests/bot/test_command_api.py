"""`memberbot apikey`: a key is shown once, listed without its secret, and ended at once."""

from tests.support.terminal import Folder


def test_a_key_is_added_listed_and_revoked(bare: Folder) -> None:
    made = bare.json("apikey", "add", "一号收银机", "--scope", "orders:write", "--scope", "members:read")
    assert made["key"].startswith("mb_") and made["scopes"] == ["members:read", "orders:write"]
    code, shown, _ = bare.run("apikey", "list")
    assert code == 0 and "一号收银机" in shown and made["key"][:9] in shown and made["key"] not in shown
    [row] = bare.json("apikey", "list")
    assert (row["store_id"], row["revoked_at"]) == (None, None) and "hash" not in row
    assert bare.json("apikey", "revoke", str(made["id"])) == {"revoked": made["id"]}
    assert bare.json("apikey", "list")[0]["revoked_at"] is not None
    code, _, said = bare.run("apikey", "revoke", str(made["id"]))
    assert code == 2 and "有效密钥" in said


def test_a_key_needs_what_exists(bare: Folder) -> None:
    code, _, said = bare.run("apikey", "add", "x", "--scope", "everything")
    assert code == 2 and "orders:write" in said
    code, _, said = bare.run("apikey", "add", "x", "--scope", "orders:write", "--store", "nowhere")
    assert code == 2 and "nowhere" in said
    assert bare.json("apikey", "list") == []
