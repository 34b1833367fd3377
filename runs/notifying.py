"""Which ends of a run people are told of: those that need somebody, and the one they have waited long for."""

from typing import NamedTuple

from django.urls import reverse

from projects.notifications import concerned, notify
from projects.templatetags.studio import duration
from runs.models import Run, Status
from runs.registries import on_run_end

LONG = 600  # seconds after which nobody waits before the page any more


class News(NamedTuple):
    tone: str
    title: str
    text: str


@on_run_end
def run_end_notify(run: Run) -> None:
    """Tell who started ``run``, and the project's owners, if its end needs them. Idempotent: once an attempt."""
    if news := news_of(run):
        url = run.get_absolute_url() if run.project else reverse("compute")
        people = concerned(run.project, run.created_by)
        notify(people=people, project=run.project, key=f"run/{run.pk}/{run.attempt}", url=url, **news._asdict())


def news_of(run: Run) -> News | None:
    """What there is to tell of the end of ``run``; None where nobody is needed."""
    if run.status in (Status.FAILED, Status.LOST):
        what = "failed" if run.status == Status.FAILED else "was lost"
        return News("bad", f"“{run.title}” {what}", (run.error or {}).get("message", ""))
    if forgot := run.events.filter(type="warning", data__code="forgetting").last():
        return News("warning", f"“{run.title}” forgot more than its budget allows", forgot.data["message"])
    finished = run.events.filter(type="finished", attempt=run.attempt).last()
    seconds = finished.data["seconds"] if finished else 0  # by the engine's own clock, which nobody sets
    if run.status == Status.SUCCEEDED and seconds > LONG:
        return News("good", f"“{run.title}” has finished", f"It took {duration(seconds)}.")
    return None
