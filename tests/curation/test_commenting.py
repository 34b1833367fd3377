import pytest

from curation.models import Comment, Mention
from curation.selectors.collecting import mentions_of, unread_mentions
from curation.services import PairError
from curation.services.commenting import COMMENT_LIMIT, comment_create, mentioned, mentions_read
from projects.models import User

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("@Ada Lovelace, please look", ["Ada Lovelace"]),
        ("@ada lovelace and @Ben", ["Ada Lovelace", "Ben"]),
        ("@Ada alone", ["Ada"]),
        ("@Adam is nobody here", []),
        ("write to ben@example.org", []),
        ("@ben@example.org", ["Ben"]),
        ("no name at all", []),
    ],
)
def test_members_are_named_by_name_or_address_and_the_longer_name_wins(text, named):
    members = [
        User(pk=place, name=name, email=f"{name.split()[0].lower()}{place}@example.org")
        for place, name in enumerate(["Ada", "Ada Lovelace"])
    ]
    members.append(User(pk=9, name="Ben", email="ben@example.org"))
    assert sorted(user.name for user in mentioned(text, members)) == sorted(named)


def test_a_comment_reaches_those_it_names_but_no_stranger_and_not_oneself(make_pair, project, owner, annotator, outsider):
    comment_create(pair=make_pair("What?"), by=owner, text="@Annotator and @Oscar and @Olivia: too long.")
    assert list(Mention.objects.values_list("user", flat=True)) == [annotator.pk]
    assert (unread_mentions(project, annotator), unread_mentions(project, owner)) == (1, 0)


def test_opening_the_pair_reads_what_was_said_there(make_pair, project, owner, annotator):
    here, there = make_pair("Here?"), make_pair("There?")
    for pair in (here, there):
        comment_create(pair=pair, by=owner, text="@Annotator look")
    assert mentions_read(pair=here, by=annotator) == 1
    assert unread_mentions(project, annotator) == 1
    assert [mention.comment.pair for mention in mentions_of(project, annotator)] == [there, here]


@pytest.mark.parametrize("text", ["", "  \n", "x" * (COMMENT_LIMIT + 1)])
def test_a_comment_says_something_and_not_too_much(make_pair, owner, text):
    with pytest.raises(PairError) as error:
        comment_create(pair=make_pair("What?"), by=owner, text=text)
    assert "text" in error.value.fields and not Comment.objects.exists()
