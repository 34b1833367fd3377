"""One real object of every kind that an address names by its key, as somebody who owns ``project`` would have it."""

import json
from collections.abc import Callable
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction

from catalogue.models import BaseModelImport
from curation.models import Pair
from curation.models.chore import Chore
from curation.services import dataset_version_cut, pair_approve, pair_create, pair_import_upload
from curation.services.collecting import response_begin
from curation.services.filtering import filter_create
from curation.services.generating import MODEL
from curation.services.tagging import tag_create
from engine.events import EVENTS_FILE
from evaluation.services import report_take_in
from playground.models import Message
from playground.services import conversation_create, feedback_give, question_add
from projects.endpoints import endpoint_create
from projects.models import Membership, Project, User
from projects.services import invitation_create
from retrieval.models import Measurement
from retrieval.services import documents_upload
from runs.models import Run, Status
from tests.catalogue import made
from tests.curation.conftest import report_of
from tests.training.sweeps import RANKS, swept

Key = dict[str, Any]  # what stands in the address
Maker = Callable[[Project, User], Key]


def invitation(project: Project, by: User) -> Key:
    return {"pk": invitation_create(project=project, role="viewer", by=by)[0].pk}


def membership(project: Project, by: User) -> Key:
    colleague = User.objects.create_user(f"colleague-in-{project.slug}@example.org")
    return {"pk": Membership.objects.create(project=project, user=colleague, role="viewer").pk}


def endpoint(project: Project, by: User) -> Key:
    fields = {"name": "Elsewhere", "url": "http://127.0.0.1:9/v1", "model": "writer-1", "allow_private": True}
    return {"pk": endpoint_create(project=project, by=by, key="", **fields).pk}


def run(project: Project, by: User) -> Key:
    found = Run.objects.create(project=project, stage="extract_pairs", title="Make pairs", queue="default", created_by=by)
    found.attempt_folder.mkdir(parents=True)
    (found.attempt_folder / EVENTS_FILE).write_text("")
    return {"run_id": found.pk}


def ended_run(project: Project, by: User) -> Key:
    key = run(project, by)
    Run.objects.filter(pk=key["run_id"]).update(status=Status.FAILED)
    return key


def preview(project: Project, by: User) -> Key:
    found = Run.objects.create(project=project, stage=MODEL, title="Ten", queue="default", params={"preview": True}, status=Status.FAILED)
    return {"pk": found.pk}


def model(project: Project, by: User) -> Key:
    return {"artifact_id": made.adapter(project, made.base(), made.dataset(project)).pk}


def sweep(project: Project, by: User) -> Key:
    """Of trainings that have ended before they began: in a studio at work they would be done."""
    if not BaseModelImport.objects.filter(key=made.BASE_KEY).exists():
        made.base()
    with transaction.atomic():
        found = swept(project, by, RANKS)
        Run.objects.filter(pipelines__sweep=found).update(status=Status.STOPPED)
    return {"pk": found.pk}


def document(project: Project, by: User) -> Key:
    [result] = documents_upload(project=project, files=[SimpleUploadedFile("one.md", b"# One\n\nOf each.\n")], by=by)
    return {"document_id": result.document}


def measurement(project: Project, by: User) -> Key:
    return {"measurement_id": Measurement.objects.create(project=project, created_by=by).pk}


def pair(project: Project, by: User, number: int = 1) -> Key:
    return {"pk": pair_create(project=project, by=by, question=f"What is the {number}th of these?", answer=f"It is number {number}.").pk}


def begun_pair(project: Project, by: User) -> Key:
    """A pair that ``by`` is writing a response to."""
    key = pair(project, by)
    response_begin(pair=Pair.objects.get(**key), by=by)
    return key


def dataset(project: Project, by: User) -> Key:
    for number in range(12):
        found = Pair.objects.get(**pair(project, by, number))
        pair_approve(pair=found, by=by)
    return {"number": dataset_version_cut(project=project, by=by).number}


def compared(project: Project, by: User) -> Key:
    return {**dataset(project, by), "other": dataset_version_cut(project=project, by=by).number}


def pair_filter(project: Project, by: User) -> Key:
    tree = {"field": "status", "op": "is", "value": "PENDING"}
    return {"pk": filter_create(project=project, by=by, name="Waiting", tree=tree, shared=True).pk}


def tag(project: Project, by: User) -> Key:
    return {"pk": tag_create(project=project, by=by, name="Good").pk}


def pair_import(project: Project, by: User) -> Key:
    row = {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}]}
    return {"pk": pair_import_upload(project=project, by=by, file=SimpleUploadedFile("pairs.jsonl", json.dumps(row).encode())).pk}


def chore(project: Project, by: User) -> Key:
    return {"pk": Chore.objects.create(project=project, by=by, kind="export", title="Writing a file").pk}


def quality_report(project: Project, by: User) -> Key:
    report = report_of(project, "fail")
    told = {"group": "duplicates", "threshold": {"bound": "most", "warn": 0, "fail": 1}, "note": "", "items": []}
    [check] = report.report["checks"]
    check |= {**told, "remedy": {"action": "reject", "label": "Reject them"}}
    report.report["size"] = {"band": "under 100", "says": "Enough to try."}
    report.save()
    return {"pk": report.pk}


def evaluation_report(project: Project, by: User) -> Key:
    base, data = made.base(), made.dataset(project)
    found = report_take_in(artifact=made.report(project, base, made.adapter(project, base, data), data))
    assert found is not None
    return {"report_id": found.pk}


def conversation(project: Project, by: User) -> Key:
    model = made.gguf(project, made.base())
    found = conversation_create(project=project, user=by, model=model, question="Hello", with_documents=False)
    question_add(conversation=found, text="Hello", with_documents=False)
    return {"pk": found.pk}


def answer(project: Project, by: User) -> Key:
    found = Message.objects.create(conversation_id=conversation(project, by)["pk"], role=Message.Role.ASSISTANT, text="Good day")
    return {"pk": found.pk}


def rated_answer(project: Project, by: User) -> Key:
    key = answer(project, by)
    feedback_give(message=Message.objects.get(**key), user=by, good=True)
    return key


# every address with a key beside the project's → what the key is of
ADDRESSES: dict[str, Maker] = {
    name: maker
    for maker, names in {
        invitation: "projects:invitation_revoke",
        membership: "projects:member_role projects:member_remove",
        endpoint: "projects:endpoint projects:endpoint_delete",
        run: "runs:detail runs:log runs:events runs:metrics runs:stop runs:cancel runs:rerun runs:queue runs:priority",
        ended_run: "runs:resume",
        preview: "curation:pairs_preview",
        model: "catalogue:model catalogue:card_file catalogue:download",
        sweep: "training:sweep training:sweep_stop training:sweep_go_on",
        document: "retrieval:document retrieval:file retrieval:delete retrieval:retry",
        measurement: "retrieval:measure_stop",
        pair: """curation:pair curation:pair_similar curation:pair_edit curation:pair_decide curation:pair_undo curation:pair_comment
            curation:responses""",
        begun_pair: "curation:annotate_pair curation:annotate_draft curation:annotate_send curation:annotate_undo",
        dataset: "curation:dataset curation:dataset_download curation:dataset_card curation:dataset_zip curation:dataset_export",
        compared: "curation:dataset_compare",
        pair_filter: "curation:filter_change",
        tag: "curation:tag_change",
        pair_import: "curation:import curation:import_errors curation:import_remove",
        chore: "curation:chore_stop curation:chore_seen curation:chore_file",
        quality_report: "curation:quality_report curation:quality_findings curation:quality_remedy",
        evaluation_report: "evaluation:report evaluation:report_file evaluation:answers_file",
        conversation: "playground:conversation playground:ask_again playground:delete",
        answer: "playground:feedback",
        rated_answer: "playground:rated_answer playground:rated_aside",
    }.items()
    for name in names.split()
}
# the other words that such an address takes, and what has to be sent to it: what is really there, so that only the key can be wrong
WORDS = {"split": "train", "key": "messages", "check": "duplicates"}
SENT = {
    "projects:member_role": {"role": "reviewer"},
    "curation:pair_decide": {"action": "approve"},
    "curation:responses": {"action": "approve"},
    "curation:annotate_send": {"action": "later"},
    "curation:filter_change": {"action": "delete"},
    "curation:tag_change": {"action": "delete"},
    "curation:quality_remedy": {"action": "reject"},
    "playground:ask_again": {"question": "Why?"},
    "playground:feedback": {"good": "1"},
}
