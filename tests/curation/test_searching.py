import pytest
from django.db import connection, transaction

from curation.messages import messages_of
from curation.models import Pair
from curation.search_index import SQLITE_TRIGGERS, index_ensure, words_keys
from curation.searching import matching, near, pieces_of
from curation.services.writing import derived

pytestmark = pytest.mark.django_db
sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite alone has numbers and triggers")


@pytest.fixture
def found(project):
    def look(text, part="any"):
        return {pair.question for pair in Pair.objects.filter(matching(text, part), project=project)}

    return look


@pytest.fixture
def pairs(make_pair):
    make_pair("How is the pump vented?", "Open the bleed screw until no air comes out.")
    make_pair("What does the valve do?", "It keeps 3 % of the pressure back.")
    make_pair("Wie wird die Ölpumpe entlüftet?", 'Drücken Sie „START“ und "halten" Sie die Taste.')
    long = make_pair("Can it run dry?", "No.")
    turns = [("user", "Can it run dry?"), ("assistant", "For how long?"), ("user", "A fortnight."), ("assistant", "No.")]
    fields = derived([{"role": role, "content": content} for role, content in turns])
    Pair.objects.filter(pk=long.pk).update(**fields)


@pytest.mark.parametrize(
    ("text", "part", "expected"),
    [
        ("", "any", 4),
        ("VALVE", "any", {"What does the valve do?"}),
        ("screw pump", "any", {"How is the pump vented?"}),
        ("screw pump", "question", set()),
        ("ent", "question", {"How is the pump vented?", "Wie wird die Ölpumpe entlüftet?"}),
        ("ölpumpe", "any", {"Wie wird die Ölpumpe entlüftet?"}),
        ('"the pump"', "any", {"How is the pump vented?"}),
        ('"pump the"', "any", set()),
        ("3 %", "answer", {"What does the valve do?"}),
        ("us", "any", set()),
        ('no "air comes', "answer", {"How is the pump vented?"}),
        ("fortnight", "any", {"Can it run dry?"}),
        ("fortnight", "answer", set()),
        ("AND OR NOT", "any", set()),
        ("valve*", "any", set()),
        ("question:valve", "any", set()),
        ("%%%", "any", set()),
        ("___", "any", set()),
    ],
)
def test_every_word_has_to_occur_whatever_its_case(found, pairs, text, part, expected):
    assert found(text, part) == expected if isinstance(expected, set) else len(found(text, part)) == expected


def test_what_is_looked_for_is_words_and_quoted_phrases():
    assert pieces_of('pump "bleed screw" \0 ""  5') == ["pump", "bleed screw", "5"]
    assert len(pieces_of("word " * 100)) < 20


def test_an_edited_or_deleted_pair_is_found_by_what_it_says_now(found, make_pair):
    pair = make_pair("Which flange fits?", "DN 50.")
    Pair.objects.filter(pk=pair.pk).update(
        **derived([{"role": "user", "content": "Which gasket?"}, {"role": "assistant", "content": "EPDM."}])
    )
    assert found("flange") == set() and found("epdm") == {"Which gasket?"}
    pair.delete()
    assert found("epdm") == set()


def test_pairs_of_other_projects_are_not_found(found, outsider, make_pair):
    Pair.objects.filter(pk=make_pair("Their secret?").pk).update(project=outsider.projects.get())
    assert found("secret") == set()


def test_the_nearest_by_words_come_first(project, pairs, make_pair):
    make_pair("How is the pump vented by hand?", "Open the bleed screw.")
    questions = [pair.question for pair in Pair.objects.filter(near(project, "How is the pump vented with screw?", 2))]
    assert set(questions) == {"How is the pump vented?", "How is the pump vented by hand?"}
    assert not Pair.objects.filter(near(project, "?!", 2))


def test_a_pair_that_is_saved_as_it_was_made_keeps_its_number(found, make_pair):
    pair = make_pair("Which flange fits?")
    assert pair.words_key is None  # the database gave it after Django had written
    pair.answer = "DN 50."
    pair.save()
    assert found("dn 50") == found("flange") == {"Which flange fits?"}
    pair.delete()
    assert found("flange") == set()


@sqlite
def test_pairs_that_bring_their_numbers_are_found_beside_those_the_database_numbers(found, project, make_pair):
    make_pair("Who is first?")
    with transaction.atomic():
        keys = words_keys(2)
        Pair.objects.bulk_create(
            Pair(project=project, origin="imported", words_key=key, **derived(messages_of(f"Who brings {key}?", "Me."))) for key in keys
        )
    make_pair("Who is last?")
    assert keys == [2, 3] and words_keys(1) == [5]
    assert found("who") == {"Who is first?", "Who brings 2?", "Who brings 3?", "Who is last?"}
    assert found('"brings 3"') == {"Who brings 3?"}


@sqlite
def test_the_index_is_made_again_when_a_migration_lost_its_triggers(found, pairs, make_pair):
    numbers = dict(Pair.objects.values_list("pk", "words_key"))
    with connection.cursor() as cursor:
        for name in SQLITE_TRIGGERS:
            cursor.execute(f"DROP TRIGGER {name}")
    make_pair("Written without a trigger?")
    Pair.objects.filter(question__contains="valve").update(question="What does the gasket do?")
    index_ensure(connection)
    assert found("trigger") == {"Written without a trigger?"} and found("ölpumpe")
    assert found("gasket") and not found("valve")
    assert dict(Pair.objects.filter(pk__in=numbers).values_list("pk", "words_key")) == numbers


@sqlite
def test_the_index_is_left_alone_where_its_triggers_are_there(pairs, django_assert_num_queries):
    with django_assert_num_queries(5):  # which tables, columns and triggers there are, and a savepoint around the latter
        index_ensure(connection)
