"""The team at work on pairs: progress, agreement, who is asked to do what, mentions, settings."""

from collections.abc import Sequence

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from curation.forms_collecting import AssignForm, CollectionForm
from curation.guidelines import guidelines_html
from curation.models import Pair, PairStatus, Tag
from curation.selectors import collecting as selectors
from curation.selectors import team as team_selectors
from curation.services import assigning
from curation.services.assigning import Assignable
from curation.services.collection import collection_set
from curation.services.writing import PairError
from curation.views.shared import pairs_tabs
from projects.guards import project_for
from projects.models import Project, User
from projects.pages import project_page
from projects.roles import may

WAITING = "waiting"


def team_page(request: HttpRequest, slug: str) -> HttpResponse:
    """How far the team is, what each did, who is asked to do what."""
    project = project_for(request.user, slug, can="annotate")
    return _page(request, project, _assign_form(project))


def _page(request: HttpRequest, project: Project, form: AssignForm, status: int = 200) -> HttpResponse:
    collection = selectors.collection_of(project)
    context = {
        "tabs": pairs_tabs(project, request.user, "team"),
        "collection": collection,
        "guidelines": guidelines_html(collection.guidelines),
        "team": selectors.team_progress(project, collection.overlap),
        "annotators": team_selectors.annotators(project),
        "assignments": team_selectors.assignments_of(project),
        "form": form,
    }
    return project_page(request, "curation/team.html", project, "pairs", context, status=status)


def team_agreement(request: HttpRequest, slug: str) -> HttpResponse:
    """The agreement alone, which the page asks for when it is there: it reads thousands of responses."""
    project = project_for(request.user, slug, can="annotate")
    return render(request, "curation/_agreement.html", {"subjects": team_selectors.agreement_of(project)})


@require_http_methods(["GET", "POST"])
def team_settings(request: HttpRequest, slug: str) -> HttpResponse:
    """Overlap, locks, tags, guidelines."""
    project = project_for(request.user, slug, can="review")
    form = (
        CollectionForm(request.POST)
        if request.method == "POST"
        else CollectionForm.of(selectors.collection_of(project), selectors.tags_of(project))
    )
    if request.method == "POST" and form.is_valid():
        collection_set(project=project, by=request.user, **form.cleaned_data)
        messages.success(request, "Saved")
        return redirect("curation:team", slug)
    context = {"tabs": pairs_tabs(project, request.user, "team"), "form": form}
    return project_page(request, "curation/team_settings.html", project, "pairs", context, status=422 if form.errors else 200)


@require_POST
def team_assign(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask people to work on a tag, or deal out what nobody was assigned."""
    project = project_for(request.user, slug, can="review")
    form = _assign_form(project, request.POST)
    if not form.is_valid():
        return _page(request, project, form, status=422)
    people = [person for person in _people(project) if str(person.pk) in form.cleaned_data["people"]]
    try:
        count = _assign(project, request.user, people, form.cleaned_data["what"])
    except PairError as error:
        form.add_error(None, str(error))
        return _page(request, project, form, status=422)
    messages.success(request, count)
    return redirect("curation:team", slug)


def _assign(project: Project, by: object, people: Sequence[User], what: str) -> str:
    if what == WAITING:
        waiting = Pair.objects.filter(project=project, status=PairStatus.PENDING, responses_left__gt=0, assignments=None)
        count = assigning.pairs_share_out(project=project, by=by, to=list(people), pairs=waiting)  # type: ignore[arg-type]
        return f"{count:,} pairs dealt out."
    tag = get_object_or_404(Tag, project=project, pk=what.removeprefix("tag:"))
    for person in people:
        assigning.tag_assign(project=project, by=by, to=person, tag=tag)  # type: ignore[arg-type]
    return f"“{tag}” assigned."


@require_POST
def team_unassign(request: HttpRequest, slug: str) -> HttpResponse:
    """Take an assignment back: a tag's, or all pairs one by one."""
    project = project_for(request.user, slug, can="review")
    user = get_object_or_404(User, memberships__project=project, pk=_int(request.POST.get("user", "")))
    tag = get_object_or_404(Tag, project=project, pk=_int(request.POST["tag"])) if request.POST.get("tag") else None
    assigning.assignment_remove(project=project, by=request.user, user=user, tag=tag)
    messages.success(request, "Taken back. What was begun stays.")
    return redirect("curation:team", slug)


def _int(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 18 else 0


def _people(project: Project) -> list[User]:
    members = project.memberships.select_related("user")
    return [member.user for member in members if may(member.role, "annotate")]


def _assign_form(project: Project, data: object = None) -> AssignForm:
    what = [Assignable(f"tag:{tag.pk}", f"Everything tagged “{tag}”") for tag in selectors.tags_of(project)]
    what.append(Assignable(WAITING, "All that waits and nobody was assigned, dealt out evenly"))
    return AssignForm(data, people=_people(project), what=what)


def mentions(request: HttpRequest, slug: str) -> HttpResponse:
    """Comments that name this person."""
    project = project_for(request.user, slug)
    context = {
        "tabs": pairs_tabs(project, request.user, "mentions"),
        "page": Paginator(selectors.mentions_of(project, request.user), 25).get_page(request.GET.get("page")),
    }
    return project_page(request, "curation/mentions.html", project, "pairs", context)
