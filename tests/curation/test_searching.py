import pytest
from django.db import connection

from curation.models import Pair
from curation.search_index import index_ensure
from curation.searching import matching, near, pieces_of
from curation.services.writing import derived

pytestmark = pytest.mark.django_db


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


@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite alone rebuilds tables")
def test_the_index_is_made_again_when_a_migration_lost_it(found, pairs, make_pair):
    with connection.cursor() as cursor:
        for name in ("insert", "update", "delete"):
            cursor.execute(f"DROP TRIGGER curation_pair_words_{name}")
        for name in ("key", "order", "status"):
            cursor.execute(f"DROP INDEX curation_pair_words_{name}")
        cursor.execute("ALTER TABLE curation_pair DROP COLUMN words_key")
    make_pair("Written without a trigger?")
    index_ensure(connection)
    assert found("trigger") == {"Written without a trigger?"} and found("ölpumpe")
