"""The bell and what it leads to."""

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from projects import notifications
from projects.guards import SignedInRequest


def notification_list(request: SignedInRequest) -> HttpResponse:
    page = Paginator(notifications.notifications_of(request.user), 30).get_page(request.GET.get("page"))
    return render(request, "projects/notifications.html", {"page": page})


def bell(request: SignedInRequest) -> HttpResponse:
    """The bell in the top bar with its count, fetched again every few seconds."""
    return render(request, "components/bell.html")


def notification_open(request: SignedInRequest, pk: int) -> HttpResponse:
    """On to what it is about, and so it is read."""
    found = get_object_or_404(notifications.notifications_of(request.user), pk=pk)
    notifications.notifications_read(user=request.user, url=found.url)
    return redirect(found.url)


@require_POST
def notifications_read(request: SignedInRequest) -> HttpResponse:
    notifications.notifications_read(user=request.user)
    return redirect("notifications")
