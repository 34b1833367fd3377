import base64
import json

import pytest

from engine import grants
from engine.grants import GrantError, Servable

MODELS = {"m": Servable(kind="adapter", path="/store/a", base="/store/b")}


def refusal(secret: str, token: str) -> str:
    with pytest.raises(GrantError) as caught:
        grants.check(secret, token)
    return caught.value.code


def test_a_signed_grant_is_read_back_whole() -> None:
    assert grants.check("secret", grants.sign("secret", MODELS)).models == MODELS


def test_a_grant_signed_with_another_secret_is_refused() -> None:
    assert refusal("secret", grants.sign("another", MODELS)) == "token_forged"


def test_a_grant_whose_models_were_changed_is_refused() -> None:
    body, mac = grants.sign("secret", MODELS).split(".")
    content = json.loads(base64.urlsafe_b64decode(body + "=="))
    content["models"]["m"]["path"] = "/etc"
    changed = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
    assert refusal("secret", f"{changed}.{mac}") == "token_forged"


def test_a_grant_ends_with_its_time() -> None:
    assert refusal("secret", grants.sign("secret", MODELS, ttl_seconds=-1)) == "token_expired"


@pytest.mark.parametrize("token", ["", "abc", "a.b.c", "ä.ö"])
def test_a_token_that_is_none_is_refused(token: str) -> None:
    assert refusal("secret", token) == "token_unreadable"


def test_nothing_is_signed_or_accepted_without_a_secret() -> None:
    with pytest.raises(ValueError):
        grants.sign("", MODELS)
    assert refusal("", grants.sign("secret", MODELS)) == "token_forged"
