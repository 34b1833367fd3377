"""Two dataset versions beside each other."""

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from curation.comparing import KINDS, compare, shown
from curation.selectors import datasets as selectors
from projects.guards import project_for
from projects.pages import project_page
from runs.artifacts import artifact_path

PER_PAGE = 20


def dataset_compare(request: HttpRequest, slug: str, number: int, other: int) -> HttpResponse:
    """What became of the pairs from version ``other`` to version ``number``."""
    project = project_for(request.user, slug)
    versions = selectors.dataset_versions(project).filter(artifact__ready=True)
    after, before = get_object_or_404(versions, number=number), get_object_or_404(versions, number=other)
    folders = artifact_path(before.artifact), artifact_path(after.artifact)
    try:
        found = compare(*folders)
    except OSError:
        raise Http404("The files of one of these versions are not on this machine any more.") from None
    kind = request.GET.get("kind", "")
    page = Paginator(found.of_kind(kind), PER_PAGE).get_page(request.GET.get("page"))
    address = reverse("curation:dataset_compare", args=[slug, number, other])
    context = {
        "before": before,
        "after": after,
        "same": found.same,
        "total": len(found.differences),
        "page": page,
        "rows": [shown(difference, *folders) for difference in page],
        "kinds": KINDS,
        "kind": kind if kind in KINDS else "",
        "tabs": [
            {"title": "Everything", "url": address, "current": kind not in KINDS, "count": len(found.differences)},
            *(
                {"title": title, "url": f"{address}?kind={key}", "current": key == kind, "count": found.counts[key]}
                for key, title in KINDS.items()
            ),
        ],
        "others": [one for one in selectors.others_of(after) if one.number != other],
    }
    return project_page(request, "curation/dataset_compare.html", project, "datasets", context)
