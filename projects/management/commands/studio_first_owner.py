"""Make the first administrator if there is none, and print a one-time sign-in link."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.urls import reverse

from projects.services import first_owner_ensure, sign_in_link_create


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", default="owner@studio.local")

    def handle(self, *args: Any, **options: Any) -> None:
        user = first_owner_ensure(options["email"])
        link = settings.STUDIO_URL + reverse("sign_in_link", args=[sign_in_link_create(user)])
        self.stdout.write(json.dumps({"email": user.email, "sign_in_link": link}))
