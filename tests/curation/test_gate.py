"""Which report of the quality gate counts for a cut: a look at a few others lets nothing through that failed."""

from typing import Any

import pytest
from django.urls import reverse

from curation.filters import filter_read, filter_text, pairs_matching
from curation.gate import last_gate, last_gate_seen
from curation.models import DatasetVersion, Pair, SavedFilter
from curation.selecting import APPROVED
from curation.services import DatasetError, dataset_version_cut
from projects.models import AuditEvent
from tests.curation.conftest import report_of

pytestmark = pytest.mark.django_db
FEW: dict[str, Any] = {"all": [{"field": "topic", "op": "is", "value": "clean"}]}
OTHERS: dict[str, Any] = {"all": [{"field": "topic", "op": "is", "value": "others"}]}
SHARES = {"train": 75, "validation": 10, "test": 15, "seed": 7}


@pytest.fixture
def sets(project, approved):
    """Of the approved pairs, which come from several documents, every second is of the topic "clean", the rest of "others"."""
    for number, pair in enumerate(approved):
        Pair.objects.filter(pk=pair.pk).update(topic=["clean", "others"][number % 2])


def looked(project, verdict: str, tree: dict[str, Any] = APPROVED):
    return report_of(project, verdict, pairs_matching(project, tree), tree)


def test_a_look_at_a_few_clean_pairs_does_not_let_through_what_failed(project, engineer, sets):
    failed = looked(project, "fail")
    looked(project, "pass", FEW)
    with pytest.raises(DatasetError, match=r"failed in 1 check.*ask an owner"):
        dataset_version_cut(project=project, by=engineer)
    assert not DatasetVersion.objects.exists()
    assert last_gate_seen(project).report == failed and last_gate_seen(project).current


def test_those_few_may_be_cut_by_their_own_report_which_is_frozen(project, engineer, sets):
    looked(project, "fail")
    passed = looked(project, "pass", FEW)
    looked(project, "fail", OTHERS)
    version = dataset_version_cut(project=project, by=engineer, tree=FEW)
    assert (version.gate["id"], version.gate["verdict"], version.gate["current"]) == (str(passed.pk), "pass", True)


def test_pairs_that_were_never_looked_at_go_by_the_newest_report(project, engineer, owner, sets):
    looked(project, "pass")
    failed = looked(project, "fail", FEW)
    with pytest.raises(DatasetError, match=r"looking at other pairs\. It has not looked at these yet\. Mend"):
        dataset_version_cut(project=project, by=engineer, tree=OTHERS)
    version = dataset_version_cut(project=project, by=owner, tree=OTHERS, override_reason="A pilot.")
    assert (version.gate["id"], version.gate["current"]) == (str(failed.pk), False)
    assert AuditEvent.objects.get(action="gate.override").after["report"] == str(failed.pk)


def test_a_look_at_other_pairs_that_passed_only_warns(project, engineer, sets):
    looked(project, "pass", FEW)
    gate = last_gate_seen(project, OTHERS)
    assert gate.words == "The quality gate passed other pairs. It has not looked at these yet." and not gate.current
    assert dataset_version_cut(project=project, by=engineer, tree=OTHERS).gate["current"] is False


def test_of_several_looks_at_one_filter_the_newest_counts(project, engineer, sets):
    looked(project, "fail", FEW)
    looked(project, "pass", FEW)
    looked(project, "fail")
    assert not last_gate(project, pairs_matching(project, FEW), FEW).failed
    looked(project, "fail", FEW)
    assert last_gate(project, pairs_matching(project, FEW), FEW).failed


def test_a_report_of_before_filters_were_kept_is_about_the_approved_pairs(project, approved):
    old = looked(project, "fail")
    old.tree = {}
    old.save()
    gate = last_gate(project, pairs_matching(project, APPROVED))
    assert (gate.report, gate.own, gate.current) == (old, True, True)


def test_the_page_shows_the_report_of_the_filter_chosen_and_runs_the_gate_for_it(client_for, engineer, project, sets):
    saved = SavedFilter.objects.create(project=project, by=engineer, name="The clean ones", tree=FEW)
    looked(project, "fail")
    client, url = client_for(engineer), reverse("curation:datasets", args=[project.slug])
    assert "The quality gate failed in 1 check." in client.get(url).content.decode()
    page = client.get(url, {"saved_filter": saved.pk})
    assert "looking at other pairs" in page.content.decode() and f'value="{saved.pk}" selected' in page.content.decode()
    client.post(reverse("curation:quality_run", args=[project.slug]), {"f": page.context["gate"].filter_text})
    run = project.runs.get(stage="check_pairs")
    assert run.inputs.get(role="pairs").artifact.facts["tree"] == FEW
    looked(project, "pass", FEW)
    assert "The quality gate passed these pairs." in client.get(url, {"saved_filter": saved.pk}).content.decode()
    asked = SHARES | {"f": filter_text(filter_read(APPROVED)), "licence": "Ours alone"}
    refused = client.post(reverse("curation:dataset_cut", args=[project.slug]), asked)
    assert refused.status_code == 422 and "Ours alone" in refused.content.decode()
    assert client.post(reverse("curation:dataset_cut", args=[project.slug]), SHARES | {"saved_filter": saved.pk}).status_code == 302


def test_an_owner_is_asked_for_a_reason_by_the_report_of_the_filter_chosen(client_for, owner, project, sets):
    saved = SavedFilter.objects.create(project=project, by=owner, name="The clean ones", tree=FEW)
    looked(project, "pass")
    looked(project, "fail", FEW)
    client, url = client_for(owner), reverse("curation:datasets", args=[project.slug])
    assert "override_reason" not in client.get(url).content.decode()
    asked = SHARES | {"saved_filter": saved.pk}
    unsaid = client.post(reverse("curation:dataset_cut", args=[project.slug]), asked)
    assert unsaid.status_code == 422 and "say why" in unsaid.content.decode() and "override_reason" in unsaid.content.decode()
    client.post(reverse("curation:dataset_cut", args=[project.slug]), asked | {"override_reason": "A pilot."})
    assert DatasetVersion.objects.get().override_reason == "A pilot."


def test_a_saved_filter_that_cannot_be_read_any_more_breaks_no_page(client_for, engineer, project, sets):
    saved = SavedFilter.objects.create(project=project, by=engineer, name="Old", tree={"field": "gone", "op": "is", "value": 1})
    url = reverse("curation:datasets", args=[project.slug])
    assert client_for(engineer).get(url, {"saved_filter": saved.pk}).status_code == 200
    answer = client_for(engineer).post(reverse("curation:dataset_cut", args=[project.slug]), SHARES | {"saved_filter": saved.pk})
    assert answer.status_code == 422 and "no field" in answer.content.decode()
