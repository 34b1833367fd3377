"""Rows inserted without Django's help stand in the table as Django would have put them."""

from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from curation.inserting import rows_insert
from curation.messages import messages_of
from curation.models import Pair, PairTag, Tag
from curation.services.writing import derived

pytestmark = pytest.mark.django_db


def row(question, **fields):
    return {"id": uuid4(), "created_at": timezone.now(), "extra": {}, **derived(messages_of(question, "An answer.")), **fields}


def test_what_a_row_leaves_out_is_as_django_has_it(project, owner):
    made = row("What is a list?", extra={"ticket": "T-1", "list": [1, None]})
    assert rows_insert(Pair, [made], common={"project": project, "origin": "imported", "created_by": owner}) == 1
    pair = Pair.objects.get()
    expected = Pair(project=project, origin="imported", created_by=owner, **made)
    read = {field.attname: getattr(pair, field.attname) for field in Pair._meta.concrete_fields if field.attname != "words_key"}
    assert read == {name: getattr(expected, name) for name in read}


def test_many_rows_take_few_statements_and_keep_their_order(project, django_assert_num_queries):
    rows = [row(f"Question {number}?") for number in range(1_000)]
    with django_assert_num_queries(2):
        assert rows_insert(Pair, rows, common={"project": project, "origin": "imported"}) == 1_000
    assert list(Pair.objects.values_list("pk", flat=True)) == [one["id"] for one in rows]


def test_a_model_whose_keys_the_database_gives(project, make_pair):
    pair, tags = make_pair("What is a list?"), [Tag.objects.create(project=project, name=name) for name in "ab"]
    assert rows_insert(PairTag, [{"pair_id": pair.pk, "tag_id": tag.pk} for tag in tags]) == 2
    assert set(pair.tags.all()) == set(tags)


def test_no_rows_are_no_statement(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert rows_insert(Pair, []) == 0


def test_rows_without_a_key_of_their_own_are_refused(project):
    with pytest.raises(AssertionError, match="key of its own"):
        rows_insert(Pair, [{"question": "One?"}, {"question": "Two?"}], common={"project": project})


@pytest.mark.skipif(connection.vendor != "sqlite", reason="with many writers somebody else may be first")
def test_a_number_given_twice_is_an_error_and_no_row_is_dropped_in_silence(project):
    rows = [row("One?", words_key=1), row("Two?", words_key=1)]
    with pytest.raises(IntegrityError), transaction.atomic():
        rows_insert(Pair, rows, common={"project": project, "origin": "imported"})
    assert not Pair.objects.exists()
