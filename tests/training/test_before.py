"""What the page says before a training that learns from something other than pairs."""

from training.before import documents_findings, documents_shape, preferences_shape
from training.offer import Reading
from training.preflight import Shape


def test_documents_are_blocks_some_of_which_are_held_out() -> None:
    shape = documents_shape(Reading(documents=3, characters=400_000), 1000)
    assert (shape.train, shape.validation, shape.longest) == (95, 5, 1000)
    assert shape.tokens == 95_000
    assert documents_shape(Reading(1, 100), 1000).longest == 25
    assert documents_shape(Reading(), 1000).train == 0


def test_nothing_read_stops_it() -> None:
    assert [found.level for found in documents_findings(Reading())] == ["stop"]
    assert documents_findings(Reading(1, 10)) == []


def test_of_preferences_only_the_rows_that_have_any_count() -> None:
    assert preferences_shape(Shape(80, 10, 10, 8000, 200), 25) == Shape(20, 2, 2, 2000, 200)
    assert preferences_shape(Shape(80, 10, 10, 8000, 200), 500) == Shape(80, 10, 10, 8000, 200)
