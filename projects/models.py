"""People, projects, who may do what in them, and what was done."""

import uuid
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models
from django.urls import reverse

from projects.roles import Role


class UserManager(BaseUserManager["User"]):
    """Accounts are known by their e-mail address, in lower case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())


class User(AbstractUser):
    """A person. ``is_superuser`` makes an instance administrator: people, base models, compute; not the content of projects."""

    username = None  # type: ignore[assignment]
    email = models.EmailField("E-mail", unique=True)
    name = models.CharField("Name", max_length=120, blank=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: list[str] = []
    objects = UserManager()  # type: ignore[assignment,misc]

    def __str__(self) -> str:
        return self.name or self.email


class Project(models.Model):
    """One domain, its documents, its people, its models."""

    name = models.CharField("Name", max_length=120)
    slug = models.SlugField(max_length=80, unique=True)
    domain = models.CharField("Domain", max_length=120, blank=True, help_text="For example: cardiology, tenancy law, pump service.")
    description = models.TextField("Description", blank=True, max_length=2000)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    last_activity_at = models.DateTimeField(auto_now_add=True)
    members = models.ManyToManyField(User, through="Membership", related_name="projects", through_fields=("project", "user"))

    class Meta:
        ordering = ["-last_activity_at"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("projects:home", args=[self.slug])


class Membership(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role.choices)
    joined_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="one_membership_a_person")]
        ordering = ["user__name", "user__email"]


class Invitation(models.Model):
    """A single-use, expiring link bound to a role. Only the hash of its token is kept."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=12, choices=Role.choices)
    email = models.EmailField(blank=True)
    token_sha256 = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    used_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]


class SignInLink(models.Model):
    """A single-use, expiring link that signs one person in: printed by the launcher for the first owner."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_in_links")
    token_sha256 = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class AuditEvent(models.Model):
    """Who did what, when, before and after. Append only; copies no personal data and no document text."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, related_name="audit_events")
    at = models.DateTimeField(auto_now_add=True, db_index=True)
    actor = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    actor_name = models.CharField(max_length=120)
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=200, blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["project", "-at"])]


class Endpoint(models.Model):
    """Any OpenAI-compatible server that a project may use beside the embedded one. Its key stays on the server."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="endpoints")
    name = models.CharField("Name", max_length=80)
    url = models.URLField("Address", help_text="Ends in /v1 for most servers.")
    model = models.CharField("Model", max_length=200, help_text="The name the server knows the model by.")
    api_key_encrypted = models.TextField(blank=True)
    allow_private = models.BooleanField("Allow an address inside your own network", default=False)
    price_in = models.FloatField("Price of a million tokens read", default=0, help_text="In your currency. 0: it costs nothing.")
    price_out = models.FloatField("Price of a million tokens written", default=0, help_text="In your currency. 0: it costs nothing.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="one_endpoint_a_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def host(self) -> str:
        """Where what is asked goes to."""
        return urlsplit(self.url).hostname or self.url


class Notification(models.Model):
    """Something that a person should see. Told once for each ``key``, however often it is written; read when it was opened."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notifications")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, related_name="notifications")
    key = models.CharField(max_length=120)
    tone = models.CharField(max_length=10)
    title = models.CharField(max_length=250)
    text = models.CharField(max_length=500, blank=True)
    url = models.CharField(max_length=300)
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(fields=["user", "-created_at"])]
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="one_notification_a_key")]

    def __str__(self) -> str:
        return self.title
