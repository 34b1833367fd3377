"""Forms for people and projects."""

from typing import Any

from django import forms
from django.contrib.auth import password_validation
from django.contrib.auth.forms import AuthenticationForm

from projects.models import Endpoint, Project, User
from projects.roles import Role


class SignInForm(AuthenticationForm):
    """Sign in by e-mail address, however it is capitalised."""

    error_messages = {
        "invalid_login": "That e-mail address and password do not belong together. Check both, or reset the password.",
        "inactive": "This account has been switched off. Ask an administrator.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "E-mail"

    def clean_username(self) -> str:
        return self.cleaned_data["username"].strip().lower()


class ProjectForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Project
        fields = ["name", "domain", "description"]
        widgets = {"description": forms.Textarea(attrs={"rows": 3})}


class InvitationForm(forms.Form):
    role = forms.ChoiceField(label="Role", choices=Role.choices, initial=Role.ANNOTATOR)
    email = forms.EmailField(label="E-mail", required=False, help_text="Only a note for you: whoever has the link can use it, once.")


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)


class AccountForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new account for who was invited."""

    password = forms.CharField(label="Password", widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), strip=False)

    class Meta:
        model = User
        fields = ["email", "name"]

    def clean_email(self) -> str:
        email = self.cleaned_data["email"].strip().lower()
        if User.objects.filter(email=email).exists():
            raise forms.ValidationError("There is an account with this address. Sign in first, then open the link again.")
        return email

    def clean_password(self) -> str:
        password = self.cleaned_data["password"]
        password_validation.validate_password(
            password, User(email=self.cleaned_data.get("email", ""), name=self.cleaned_data.get("name", ""))
        )
        return password


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ["name", "email"]

    def clean_email(self) -> str:
        return self.cleaned_data["email"].strip().lower()


class PersonForm(forms.Form):
    """What an administrator may change about a person."""

    is_active = forms.BooleanField(label="May sign in", required=False)
    is_superuser = forms.BooleanField(label="Administers this studio", required=False)


class DeleteProjectForm(forms.Form):
    name = forms.CharField(label="Type the project's name to delete it")

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project

    def clean_name(self) -> str:
        if self.cleaned_data["name"].strip() != self.project.name:
            raise forms.ValidationError("That is not this project's name.")
        return self.project.name


class EndpointForm(forms.ModelForm):  # type: ignore[type-arg]
    """A server whose model the project may ask. The key is written, never shown."""

    advanced = ("price_in", "price_out", "allow_private")

    key = forms.CharField(
        label="Key",
        required=False,
        strip=True,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="As the server gave it to you. It is kept encrypted and never shown again.",
    )

    class Meta:
        model = Endpoint
        fields = ["name", "url", "model", "key", "price_in", "price_out", "allow_private"]
        help_texts = {
            "allow_private": "For a server of your own, such as Ollama or vLLM on your network.",
        }

    url = forms.URLField(label="Address", help_text="Ends in /v1 for most servers.", assume_scheme="https")
    field_order = ["name", "url", "model", "key", "price_in", "price_out", "allow_private"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("price_in", "price_out"):
            self.fields[name].required = False
            self.fields[name].widget.attrs |= {"min": 0, "step": "any"}
        if self.instance.api_key_encrypted:
            self.fields["key"].help_text = "There is one. Leave this empty to keep it."

    def clean_price_in(self) -> float:
        return max(0.0, self.cleaned_data["price_in"] or 0.0)

    def clean_price_out(self) -> float:
        return max(0.0, self.cleaned_data["price_out"] or 0.0)

    def validate_unique(self) -> None:
        """The service judges it, since the project is not in the form."""
