"""What a model is sent."""

from playground.prompting import TURNS, chat_messages


def test_questions_and_answers_come_by_turns_whatever_was_left_unanswered() -> None:
    asked = [
        ("user", "Lost?"),
        *(turn for n in range(5) for turn in (("user", f"Question {n}?"), ("assistant", f"Answer {n}."))),
        ("user", "Lost too?"),
    ]
    sent = chat_messages("And now?", asked, [])
    assert [message["role"] for message in sent] == ["user", "assistant"] * TURNS + ["user"]
    assert [message["content"] for message in sent[-3:]] == ["Question 4?", "Answer 4.", "And now?"]
