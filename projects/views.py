"""Pages of people and projects."""

from django.contrib import messages
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from projects import services
from projects.forms import (
    AccountForm,
    DeleteProjectForm,
    InvitationForm,
    PersonForm,
    ProfileForm,
    ProjectForm,
    RoleForm,
)
from projects.guards import admin_only, project_for
from projects.models import User
from projects.pages import project_page
from projects.registries import tabs
from projects.roles import may
from projects.selectors import audit_of, invitations_of, members_of, projects_of

BACKEND = "django.contrib.auth.backends.ModelBackend"


def project_list(request: HttpRequest) -> HttpResponse:
    return render(request, "projects/list.html", {"projects": list(projects_of(request.user))})


@require_http_methods(["GET", "POST"])
def project_new(request: HttpRequest) -> HttpResponse:
    form = ProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return redirect(services.project_create(by=request.user, **form.cleaned_data))
    return render(request, "projects/new.html", {"form": form})


def project_home(request: HttpRequest, slug: str) -> HttpResponse:
    """The first page of the journey this person may open."""
    project = project_for(request.user, slug)
    first = next(tab for tab in tabs() if may(project.role, tab.can))  # type: ignore[attr-defined]
    return redirect(first.url_name, project.slug)


def team(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug)
    context = {
        "members": members_of(project),
        "invitations": invitations_of(project),
        "form": InvitationForm(),
        "link": request.session.pop("invitation_link", None),
    }
    return project_page(request, "projects/team.html", project, "team", context)


@require_POST
def invitation_create(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, can="own")
    form = InvitationForm(request.POST)
    if form.is_valid():
        _, token = services.invitation_create(project=project, by=request.user, **form.cleaned_data)
        # The link is shown once, on the next page, and never stored but as a hash
        request.session["invitation_link"] = request.build_absolute_uri(reverse("projects:invitation", args=[token]))
    else:
        messages.error(request, "Choose a role, and leave the address empty or give a whole one.")
    return redirect("projects:team", slug)


@require_POST
def invitation_revoke(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = project_for(request.user, slug, can="own")
    services.invitation_revoke(invitation=get_object_or_404(project.invitations, pk=pk), by=request.user)
    messages.success(request, "Invitation withdrawn")
    return redirect("projects:team", slug)


@require_POST
def member_role(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = project_for(request.user, slug, can="own")
    membership = get_object_or_404(members_of(project), pk=pk)
    form = RoleForm(request.POST)
    try:
        if form.is_valid():
            services.membership_set_role(membership=membership, role=form.cleaned_data["role"], by=request.user)
            messages.success(request, f"{membership.user} is now {membership.get_role_display().lower()}")
    except services.ProjectError as error:
        messages.error(request, str(error))
    return redirect("projects:team", slug)


@require_POST
def member_remove(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = project_for(request.user, slug, can="own")
    membership = get_object_or_404(members_of(project), pk=pk)
    try:
        services.membership_remove(membership=membership, by=request.user)
        messages.success(request, f"{membership.user} was removed from the project")
    except services.ProjectError as error:
        messages.error(request, str(error))
    return redirect("projects:team", slug) if membership.user != request.user else redirect("projects:list")


@require_http_methods(["GET", "POST"])
def project_settings(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, can="own")
    form = ProjectForm(request.POST or None, instance=project)
    if request.method == "POST" and form.is_valid():
        services.project_update(project=project, by=request.user, **form.cleaned_data)
        messages.success(request, "Settings saved")
        return redirect("projects:settings", slug)
    context = {"form": form, "delete_form": DeleteProjectForm(project=project)}
    return project_page(request, "projects/settings.html", project, "settings", context)


@require_POST
def project_delete(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, can="own")
    form = DeleteProjectForm(request.POST, project=project)
    if not form.is_valid():
        context = {"form": ProjectForm(instance=project), "delete_form": form}
        return project_page(request, "projects/settings.html", project, "settings", context, status=422)
    try:
        services.project_delete(project=project, by=request.user)
    except services.ProjectError as error:
        messages.error(request, str(error))
        return redirect("projects:settings", slug)
    messages.success(request, f"{form.project.name} was deleted")
    return redirect("projects:list")


def audit_log(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug)
    text = request.GET.get("q", "").strip()
    page = Paginator(audit_of(project, text), 50).get_page(request.GET.get("page"))
    return project_page(request, "projects/audit.html", project, "team", {"page": page, "q": text})


# --- accounts ---


@login_not_required
@require_http_methods(["GET", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Accept an invitation: signed in with one click, else by making an account. Looking does not use it up."""
    found = services.invitation_find(token)
    if found is None:
        return render(request, "projects/invitation_gone.html", status=410)
    form = None
    if not request.user.is_authenticated:
        form = AccountForm(request.POST or None, initial={"email": found.email})
    if request.method == "POST" and (form is None or form.is_valid()):
        try:
            if form is None:
                return redirect(services.invitation_accept(token=token, user=request.user))
            user, project = services.invitation_accept_anew(token=token, **form.cleaned_data)
        except services.ProjectError:
            return render(request, "projects/invitation_gone.html", status=410)
        login(request, user, backend=BACKEND)
        return redirect(project)
    return render(request, "projects/invitation.html", {"invitation": found, "form": form})


@login_not_required
@require_http_methods(["GET", "POST"])
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    """A person confirms with one click, so that a mail scanner or a preview that opens the link does not use it up."""
    if services.sign_in_link_find(token) is None:
        return render(request, "registration/link_gone.html", status=410)
    if request.method == "POST":
        user = services.sign_in_link_use(token)
        if user is None:
            return render(request, "registration/link_gone.html", status=410)
        login(request, user, backend=BACKEND)
        return redirect("projects:list" if user.has_usable_password() else "profile")
    return render(request, "registration/link.html")


@require_http_methods(["GET", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    form = ProfileForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Profile saved")
        return redirect("profile")
    return render(request, "registration/profile.html", {"form": form})


@require_http_methods(["GET", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    """Change the password; who came by a link and has none yet sets one without an old one."""
    form_class = PasswordChangeForm if request.user.has_usable_password() else SetPasswordForm
    form = form_class(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        update_session_auth_hash(request, form.save())
        messages.success(request, "Password saved")
        return redirect("profile")
    return render(request, "registration/password.html", {"form": form})


def people(request: HttpRequest) -> HttpResponse:
    admin_only(request.user)
    return render(request, "projects/people.html", {"people": User.objects.order_by("email")})


@require_POST
def person_update(request: HttpRequest, pk: int) -> HttpResponse:
    admin_only(request.user)
    person = get_object_or_404(User, pk=pk)
    form = PersonForm(request.POST)
    if person == request.user:
        messages.error(request, "You cannot change your own rights. Ask another administrator.")
    elif form.is_valid():
        services.person_update(person=person, by=request.user, **form.cleaned_data)
        messages.success(request, f"{person} was updated")
    return redirect("people")
