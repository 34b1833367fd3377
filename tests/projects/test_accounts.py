"""Signing in: by password, by link, after too many tries, and after forgetting."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.models import SignInLink, User
from projects.services import first_owner_ensure, sign_in_link_create

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada@example.org", PASSWORD, name="Ada Lovelace")


def sign_in(client: Client, password: str, email: str = "ada@example.org") -> int:
    return client.post(reverse("login"), {"username": email, "password": password}).status_code


def test_passwords_are_kept_as_argon2(ada: User) -> None:
    assert ada.password.startswith("argon2$argon2id$")


def test_she_signs_in_however_she_writes_her_address(ada: User, client: Client) -> None:
    assert sign_in(client, PASSWORD, "Ada@Example.org") == 302


def test_a_password_can_be_changed_on_the_console(ada: User, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    said = iter(["password", "password", "a sound new password", "a sound new password"])  # the first is refused as too common
    monkeypatch.setattr("getpass.getpass", lambda *_, **__: next(said))
    call_command("changepassword", "ada@example.org", stdout=StringIO(), stderr=StringIO())
    assert sign_in(client, PASSWORD) == 200
    assert sign_in(client, "a sound new password") == 302


def test_a_password_of_nobody_cannot_be_changed_on_the_console() -> None:
    with pytest.raises(CommandError, match="nobody@"):
        call_command("changepassword", "nobody@example.org")


def test_after_eight_wrong_tries_signing_in_is_paused_even_with_the_right_password(ada: User, client: Client) -> None:
    answers = [sign_in(client, "wrong") for _ in range(8)]
    assert answers[:7] == [200] * 7
    assert answers[7] == 429
    assert sign_in(client, PASSWORD) == 429


def test_a_sign_in_link_works_once_and_only_when_confirmed(ada: User, client: Client) -> None:
    address = reverse("sign_in_link", args=[sign_in_link_create(ada)])
    assert client.get(address).status_code == 200  # a mail scanner that looks does not use it up
    assert client.post(address).status_code == 302
    assert client.get(reverse("profile")).status_code == 200
    assert Client().post(address).status_code == 410


def test_a_sign_in_link_expires(ada: User, client: Client) -> None:
    address = reverse("sign_in_link", args=[sign_in_link_create(ada)])
    SignInLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.post(address).status_code == 410


def test_the_token_itself_is_not_kept(ada: User) -> None:
    token = sign_in_link_create(ada)
    assert not SignInLink.objects.filter(token_sha256=token).exists()


def test_a_forgotten_password_is_reset_by_mail(ada: User, client: Client) -> None:
    client.post(reverse("password_reset"), {"email": "ada@example.org"})
    link = next(word for word in mail.outbox[0].body.split() if "/password/" in word)
    form = client.get(link, follow=True)
    done = client.post(form.request["PATH_INFO"], {"new_password1": "a new long password", "new_password2": "a new long password"})
    assert done.status_code == 302
    assert sign_in(Client(), "a new long password") == 302


def test_the_first_owner_is_made_once_and_sets_a_password_without_an_old_one(client: Client) -> None:
    owner = first_owner_ensure("owner@example.org")
    assert first_owner_ensure("other@example.org") == owner
    client.force_login(owner)
    answer = client.post(reverse("password_change"), {"new_password1": "a new long password", "new_password2": "a new long password"})
    assert answer.status_code == 302
    assert sign_in(Client(), "a new long password", "owner@example.org") == 302


def test_every_page_carries_a_strict_policy(client: Client) -> None:
    policy = client.get(reverse("login")).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy
    assert "unsafe" not in policy
