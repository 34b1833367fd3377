"""Every page of the studio, for all that opens each of them: the browser tests and the pictures.

A page whose address answers GET with a whole page has to be here; ``test_page_list.py`` looks.
"""

from collections import defaultdict

# name → address. What stands in braces is found by LOOK; in a studio that has no such thing the page is left out
PAGES = {
    "projects": "/",
    "new project": "/new/",
    "compute": "/compute/",
    "people": "/people/",
    "notifications": "/notifications/",
    "account": "/account/",
    "password": "/account/password/",
    "plan": "/p/{slug}/plan/",
    "plan wizard": "/p/{slug}/plan/?edit=1",
    "documents": "/p/{slug}/documents/",
    "add a text": "/p/{slug}/documents/add/",
    "document": "/p/{slug}/documents/{document}/",
    "cited passage": "{citation}",
    "search": "/p/{slug}/search/",
    "search results": "/p/{slug}/search/?q=What+does+nonlocal+do%3F",
    "pairs": "/p/{slug}/pairs/",
    "pairs that match": "/p/{slug}/pairs/?status=APPROVED&sort=-answer_length",
    "counts of pairs": "/p/{slug}/pairs/facets/",
    "filter pairs": "/p/{slug}/pairs/filter/?status=APPROVED&q=value",
    "saved filters": "/p/{slug}/pairs/filters/",
    "tags": "/p/{slug}/pairs/tags/",
    "pair": "/p/{slug}/pairs/{pair}/",
    "similar pairs": "/p/{slug}/pairs/{pair}/similar/",
    "new pair": "/p/{slug}/pairs/new/",
    "generate by rules": "/p/{slug}/pairs/generate/",
    "generate by a model": "/p/{slug}/pairs/generate/model/",
    "preview of a model": "/p/{wrote}/pairs/generate/model/{preview}/",
    "augment": "/p/{slug}/pairs/augment/",
    "among distractors": "/p/{slug}/pairs/raft/",
    "imports": "/p/{slug}/pairs/imports/",
    "import": "/p/{imported}/pairs/imports/{import}/",
    "export pairs": "/p/{slug}/pairs/export/",
    "annotate": "/p/{slug}/pairs/annotate/",
    "annotate a pair": "/p/{annotated}/pairs/{begun}/annotate/",
    "responses": "/p/{slug}/pairs/collected/",
    "responses to a pair": "/p/{answered}/pairs/{responses}/responses/",
    "mentions": "/p/{slug}/pairs/mentions/",
    "team at work": "/p/{slug}/pairs/team/",
    "settings of annotating": "/p/{slug}/pairs/team/settings/",
    "quality": "/p/{slug}/quality/",
    "quality report": "/p/{checked}/quality/{quality}/",
    "quality findings": "/p/{checked}/quality/{quality}/{check}/",
    "datasets": "/p/{slug}/datasets/",
    "dataset": "/p/{slug}/datasets/{version}/",
    "compare datasets": "/p/{compared}/datasets/{newer}/compared-with/{older}/",
    "runs": "/p/{slug}/runs/",
    "training run": "/p/{slug}/runs/{sft}/",
    "reading run": "/p/{slug}/runs/{ingest}/",
    "rerun": "/p/{slug}/runs/{sft}/rerun/",
    "start training": "/p/{slug}/training/start/",
    "compare runs": "/p/{slug}/training/compare/",
    "sweep": "/p/{swept}/training/sweeps/{sweep}/",
    "models": "/p/{slug}/models/",
    "model": "/p/{slug}/models/{gguf}/",
    "evaluate": "/p/{slug}/evaluate/",
    "report": "/p/{slug}/evaluate/{report}/",
    "chat": "/p/{slug}/chat/",
    "conversation": "/p/{slug}/chat/{conversation}/",
    "rated answers": "/p/{slug}/chat/rated/",
    "rated answer": "/p/{rated_in}/chat/rated/{rated}/",
    "team": "/p/{slug}/team/",
    "settings": "/p/{slug}/settings/",
    "endpoints": "/p/{slug}/endpoints/",
    "endpoint": "/p/{asked}/endpoints/{endpoint}/",
    "audit": "/p/{slug}/audit/",
}
SIGNED_OUT = {
    "sign in": "/sign-in/",
    "forgotten password": "/password/",
    "forgotten password, sent": "/password/sent/",
    "forgotten password, used link": "/password/MQ/no-such-token/",
    "forgotten password, done": "/password/done/",
    "used link": "/sign-in/used-already/",
    "lost invitation": "/join/used-already/",
}
GONE = ("used link", "lost invitation")

# addresses that answer GET with something else, by why nobody looks at them as a page
NO_PAGES = {
    "an answer for machines": "healthz",
    "a part that its page fetches": """running notification_bell runs:queue compute_workers
        curation:chores curation:team_agreement curation:dataset_checks""",
    "leads on to a page": "projects:home notification_open curation:pairs_review",
    "a file or a text": """retrieval:file retrieval:export curation:import_errors curation:chore_file curation:dataset_download
        curation:dataset_card curation:dataset_zip curation:dataset_export runs:log runs:events runs:metrics
        catalogue:card_file catalogue:download evaluation:report_file evaluation:answers_file""",
}

# what the braces may stand for, where only the shape of an address matters
ANYTHING: dict[str, str] = defaultdict(
    lambda: "5f0c7f3e-1e0b-4b3c-9a53-0d5a1f0e7c11",
    citation="/p/any/documents/5f0c7f3e-1e0b-4b3c-9a53-0d5a1f0e7c11/",
    version="1",
    newer="2",
    older="1",
    rated="1",
)

# run among the studio's apps: the first project of an owner, and of everything else the latest there is in any project of theirs
LOOK = """
from curation.models import DatasetVersion, Finding, Pair, PairImport, QualityReport, Response
from evaluation.models import Report
from playground.models import Conversation, Feedback
from projects.models import Endpoint, Project, User
from retrieval.citations import citation_url
from retrieval.models import Document
from runs.models import Run
from training.models import Sweep

owner = User.objects.filter(is_superuser=True).order_by("pk").first()
project = Project.objects.filter(memberships__user=owner).order_by("pk").first()

def latest(model, path="project", **fields):
    return model.objects.filter(**{f"{path}__memberships__user": owner}, **fields).order_by("-created_at").first()

def key(found, *, slug, pk="pk", **more):
    return {slug: found.project.slug, pk: found.pk, **more} if found else {}

runs = {run.stage: run for run in Run.objects.filter(project=project).order_by("-created_at")}
documents = Document.objects.filter(project=project)
paged = Pair.objects.filter(project=project, document_id=documents.filter(name__endswith=".pdf").values("pk")[:1]).first()
text = documents.filter(name="nonlocal.md").first() or documents.first()
pair = paged or Pair.objects.filter(project=project).first()
report = Report.objects.filter(artifact__project=project).order_by("pk").first()
chat = Conversation.objects.filter(project=project).order_by("created_at").first()
version = DatasetVersion.objects.filter(project=project).order_by("pk").first()
quality = latest(QualityReport, findings__isnull=False) or latest(QualityReport)
found = Finding.objects.filter(report=quality).first()
compared = latest(DatasetVersion, number__gt=1)
mine = latest(Response, "pair__project", user=owner)
sent = latest(Response, "pair__project", state="SUBMITTED")
told = latest(Feedback, "message__conversation__project")
answer = {
    "slug": project and project.slug,
    "document": text and text.pk,
    "citation": citation_url(project, *[pair.sources[0][name] for name in ("document", "start", "end", "version")])
    if pair and pair.sources else None,
    "pair": pair and pair.pk, "version": version and version.number, "report": report and report.pk, "conversation": chat and chat.pk,
    "sft": "sft" in runs and runs["sft"].pk, "ingest": "ingest" in runs and runs["ingest"].pk,
    "gguf": "quantize" in runs and (made := runs["quantize"].output("model")) and made.pk,
    **key(latest(Endpoint), slug="asked", pk="endpoint"),
    **key(latest(PairImport), slug="imported", pk="import"),
    **key(latest(Run, stage="generate_pairs", params__preview=True), slug="wrote", pk="preview"),
    **key(latest(Sweep), slug="swept", pk="sweep"),
    **key(quality, slug="checked", pk="quality", check=found.check_key if found else "duplicates"),
    **({"compared": compared.project.slug, "newer": compared.number, "older": compared.number - 1} if compared else {}),
    **(key(mine.pair, slug="annotated", pk="begun") if mine else {}),
    **(key(sent.pair, slug="answered", pk="responses") if sent else {}),
    **({"rated_in": told.message.conversation.project.slug, "rated": told.message_id} if told else {}),
}
answer = {name: str(value) for name, value in answer.items() if value}
"""

# what a fresh demo has none of, made in a project of its own: real objects, if small ones
FILL = (
    LOOK
    + """
from curation.services.responding import Said, response_submit
from playground.services import feedback_give
from projects.services import project_create
from tests import one_of_each as one
lacking = {"endpoint": one.endpoint, "import": one.pair_import, "preview": one.preview, "quality": one.quality_report,
    "newer": one.compared, "begun": one.begun_pair, "sweep": one.sweep}
lacking = [make for name, make in lacking.items() if name not in answer]
for number, make in enumerate(lacking):
    make(project_create(name=f"One of each, {number + 1}", by=owner), owner)
if "responses" not in answer:
    other = project_create(name="One of each, answered", by=owner)
    begun = Response.objects.get(pair=one.begun_pair(other, owner)["pk"], user=owner)
    response_submit(response=begun, said=Said("Why?", "Because.", verdict="good"), revision=begun.revision)
if "rated" not in answer and chat and (said := chat.messages.filter(role="assistant").first()):
    feedback_give(message=said, user=chat.user, good=False, reasons=["incomplete"])
"""
    + LOOK
)


def addresses(pages: dict[str, str], found: dict[str, str]) -> dict[str, str]:
    """``pages`` with what LOOK found; without those for which it found nothing."""
    made = {}
    for name, path in pages.items():
        try:
            made[name] = path.format_map(found)
        except KeyError:
            continue
    return made
