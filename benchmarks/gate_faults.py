"""Faults put into clean pairs, a function a check: what teams, imports and generators really bring. Seeded, ``COUNT`` of each."""

import copy
import random
import re
from collections.abc import Callable
from typing import Any

from engine.lib.mmlu import questions

Line = dict[str, Any]
Plant = Callable[[list[Line], random.Random], list[Line]]
COUNT = 50


def turns(line: Line) -> tuple[str, str]:
    return line["messages"][-2]["content"], line["messages"][-1]["content"]


def copied(line: Line, question: str | None = None, answer: str | None = None, **fields: Any) -> Line:
    new = copy.deepcopy(line)
    if question is not None:
        new["messages"][-2]["content"] = question
    if answer is not None:
        new["messages"][-1]["content"] = answer
    return {**new, **fields}


def exact(base: list[Line], dice: random.Random) -> list[Line]:
    """The same question in other case, spacing or outer punctuation; half with the same answer."""
    forms = [str.upper, str.lower, lambda text: f"  {text} ", lambda text: text.replace(" ", "  "), lambda text: text.rstrip("?.") + " ?"]
    made = []
    for number, line in enumerate(dice.sample(base, COUNT)):
        question, answer = turns(line)
        made.append(copied(line, forms[number % 5](question), answer if number % 2 else turns(dice.choice(base))[1]))
    return made


SYNONYMS = {
    "returns": "gives", "return": "give", "creates": "makes", "create": "make", "contains": "holds", "used": "employed", "object": "item",
    "objects": "items", "called": "invoked", "raised": "thrown", "begins": "starts", "must": "has to", "also": "in addition", "method": "routine",
    "value": "result", "values": "results", "example": "instance", "specified": "given", "names": "identifiers", "allowed": "permitted",
}  # fmt: skip
ASKED = (("What does", "What exactly does"), ("what does", "what precisely does"), ("what happens", "what will happen"), ("explain", "please describe"),
         ("In Python", "Within Python"), ("Concerning", "As to"), ("Regarding", "With regard to"), ("what is", "how would you define"))  # fmt: skip
TAILS = ("This is how it works.", "Keep that in mind.", "See the reference for more.", "That is all there is to it.")


def near(base: list[Line], dice: random.Random) -> list[Line]:
    """A few words changed: slips of the pen, other words of asking, a synonym in the answer, a sentence more, a word less."""
    made = []
    for number, line in enumerate(dice.sample([one for one in base if len(turns(one)[1].split()) >= 10], COUNT)):
        question, answer = turns(line)
        if number % 5 == 0:
            question, answer = _slip(question.rstrip("?.") + ", Professor?", dice), _slip(answer, dice)
        elif number % 5 == 1:
            question = next((question.replace(a, b, 1) for a, b in ASKED if a in question), question.rstrip("?.") + ", please?")
        elif number % 5 == 2:
            said = answer.split()
            swapped = [SYNONYMS.get(word, word) for word in said]
            answer, question = " ".join(swapped), question.rstrip("?.") + " exactly?"
        elif number % 5 == 3:
            answer, question = f"{answer} {dice.choice(TAILS)}", "Please: " + question
        else:
            said = answer.split()
            del said[dice.randrange(2, len(said) - 2)]
            answer, question = " ".join(said), "Tell me: " + question
        made.append(copied(line, question, answer))
    return made


def _slip(text: str, dice: random.Random) -> str:
    """Two letters of a longer word changed places."""
    said = text.split()
    long = [place for place, word in enumerate(said) if len(word) > 6 and word.isalpha() and word.islower()]
    if long:
        place = dice.choice(long)
        word, at = said[place], dice.randrange(2, len(said[place]) - 3)
        said[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(said)


# the shape of a question → ways to ask the same, {} being what it asks about
TURNED = {
    "condition": ("Suppose that {}. What is the consequence?", "What would be the result, given that {}?", "{}: what follows from that?"),
    "signature": ("I came across {}. What is its job?", "Who would need {}, and to do what?", "Please describe the purpose of {}."),
    "manner": ("Describe the way in which {}.", "By what means, or when, is it that {}?", "Explain the handling here: {}."),
    "role": ("Sum up what is done here: {}.", "Which part is played in this: {}?", "{}: what precisely?"),
}
BEGUN = ("In short, {}", "To put it simply: {}", "As the reference has it, {}", "Well, {}")
LEADS = re.compile(
    r"^.*?\b(?:what (?:happens|applies) (?:if|when|unless|after|before|as soon as|once)|what happens|what applies|what (?:does|do|is|are)|how (?:is|are)|"
    r"when or why (?:is|are)|where (?:is|are))\b ",
    re.IGNORECASE,
)


def meaning(base: list[Line], dice: random.Random) -> list[Line]:
    """Asked in another way, with other words around the subject; the answer begins otherwise and has synonyms."""
    fit = [line for line in base if line["shape"] in TURNED and LEADS.match(turns(line)[0]) and len(turns(line)[1].split()) >= 8]
    made = []
    for number, line in enumerate(dice.sample(fit, COUNT)):
        question, answer = turns(line)
        subject = re.sub(r" (?:for|do)$", "", LEADS.sub("", question.rstrip("?")))
        said = " ".join(SYNONYMS.get(word, word) for word in answer.split())
        begun = BEGUN[number % len(BEGUN)].format(said[0].lower() + said[1:])
        made.append(copied(line, TURNED[line["shape"]][number % 3].format(subject), begun))
    return made


def split_leaks(base: list[Line], dice: random.Random) -> list[Line]:
    """What is trained on, in nearly the same words in a document that is held out."""
    held_out = [line for line in base if line["split"] != "train"]
    trained = [line for line in base if line["split"] == "train" and len(turns(line)[1].split()) >= 10]
    made = []
    for line in dice.sample(trained, COUNT):
        place = dice.choice(held_out)
        question, answer = turns(line)
        source = {**line["sources"][0], "document": place["document"], "version": place["sources"][0]["version"]}
        made.append(
            copied(
                line,
                "Please: " + question,
                f"{answer} {dice.choice(TAILS)}",
                document=place["document"],
                split=place["split"],
                sources=[source],
            )
        )
    return made


def benchmark(base: list[Line], dice: random.Random) -> list[Line]:
    """A question of MMLU: as it is, without its choices, or inside other words."""
    asked = [one for one in questions(seed=0) if len(one.text.split("\n")[0].split("(A)")[0].split()) >= 8]
    forms = ("{}", "Exam question: {}", "Here is one for you. {} Think carefully.")
    made = []
    for number, (line, question) in enumerate(zip(dice.sample(base, COUNT), dice.sample(asked, COUNT), strict=True)):
        text = question.text if number % 2 else question.text.split("(A)")[0].strip()
        made.append(copied(line, forms[number % 3].format(text), question.reasoning, sources=[], context=""))
    return made


def template(base: list[Line], dice: random.Random) -> list[Line]:
    """Turns out of order, markers of another template, slots that were never filled, a wrong encoding."""
    made = []
    for number, line in enumerate(dice.sample(base, COUNT)):
        question, answer = turns(line)
        new = copied(line)
        user, assistant = new["messages"][-2:]
        if number % 8 == 0:
            new["messages"] = [user, {"role": "user", "content": "And?"}, assistant]
        elif number % 8 == 1:
            new["messages"] = [user, {"role": "system", "content": "Be brief."}, assistant]
        elif number % 8 == 2:
            new["messages"] = [assistant, user]
        elif number % 8 == 3:
            new["messages"] = [{"role": "assistant", "content": "Hello."}, user, assistant]
        elif number % 8 == 4:
            user["content"], assistant["content"] = f"<|im_start|>user {question}<|im_end|>", f"{answer}<|im_end|>"
        elif number % 8 == 5:
            user["content"] = f"[INST] {question} [/INST]" if number % 16 == 5 else f"### Instruction:\n{question}\n### Response:"
        elif number % 8 == 6:
            user["content"] = f"{question} Use {{{{ product_name }}}} in [INSERT COMPANY NAME]."
        else:
            assistant["content"] = f"Naïve café: {answer} “quoted”".encode().decode("cp1252", "replace")
        made.append(new)
    return made


def too_long(base: list[Line], dice: random.Random) -> list[Line]:
    """More than 1,024 tokens in any tokenizer."""
    texts = [turns(line)[1] for line in base]
    return [
        copied(line, answer=" ".join([turns(line)[1], *dice.sample(texts, 60)])[: dice.randrange(6_000, 9_000)])
        for line in dice.sample(base, COUNT)
    ]


REFUSALS = (
    "I'm sorry, but I can't help with that.", "As an AI language model, I don't have opinions on this.", "I cannot answer this question.",
    "The provided context does not contain this information.", "Unfortunately, I am unable to answer that.", "I don't know.",
    "Sorry, I can’t assist with this request.", "There is no information about this in the text.", "I apologize, but I cannot do that.",
    "This is not mentioned in the passage.", "Als KI-Sprachmodell kann ich das nicht beantworten.", "Es tut mir leid, das weiß ich nicht.",
    "Je suis désolé, je ne peux pas répondre.", "Lo siento, no puedo responder a eso.", "I do not have access to real-time data.",
    "My knowledge cutoff is 2023, so I cannot say.", "No information available.", "I am just a language model and cannot judge this.",
)  # fmt: skip
NOTHING = ("", "   ", "\n", "N/A", "n/a", "TODO", "...", "?", "-", "null", "None", "TBD", "unknown", "nan", "…")


def empty(base: list[Line], dice: random.Random) -> list[Line]:
    """Nothing, a placeholder, the question again, or a refusal."""
    made = []
    for number, line in enumerate(dice.sample(base, COUNT)):
        answers = (NOTHING[number % len(NOTHING)], REFUSALS[number % len(REFUSALS)], turns(line)[0])
        made.append(copied(line, answer=answers[2 if number % 10 == 9 else number % 2]))
    return made


INVENTED = (
    "It was introduced by a committee in Vienna after a public vote.", "Most hospitals keep such records for the winter season.",
    "The feature costs extra and needs a licence from the vendor.", "Banks charge customers for that service every quarter.",
    "It doubles the memory of the graphics card on every second call.",
)  # fmt: skip


def unsupported(base: list[Line], dice: random.Random) -> list[Line]:
    """The answer to another question, a sentence that is invented, or a number that the source does not have."""
    made = []
    for number, line in enumerate(dice.sample([one for one in base if 8 <= len(turns(one)[1].split()) <= 60], COUNT)):
        answer = turns(line)[1]
        if number % 3 == 0:
            others = [one for one in base if one["document"] != line["document"] and len(turns(one)[1].split()) >= 8]
            answer = turns(dice.choice(others))[1]
        elif number % 3 == 1:
            answer = dice.choice(INVENTED) if number % 2 else f"{dice.choice(INVENTED)} {dice.choice(INVENTED)} {answer[:60]}"
        else:
            answer = f"It allows exactly {dice.randrange(137, 999)} of them, each at most {dice.randrange(1000, 9999)} bytes long."
        made.append(copied(line, answer=answer))
    return made


def stale(base: list[Line], dice: random.Random) -> list[Line]:
    """The document has a newer version."""
    return [copied(line, stale=True) for line in dice.sample(base, COUNT)]


NAMES = ("Martina Köhler", "James O’Neil", "Aisha Rahman", "Luca Bianchi", "Sophie Laurent", "Tomás Herrera")


def personal(base: list[Line], dice: random.Random) -> list[Line]:
    """What leads to a person, as it stands in tickets, letters and forms. Nobody's: made up, with right check digits where there are."""
    forms = (
        "Write to {mail} for more.", "Reach {name} at {mail}.", "Call +49 30 90180{d3} if in doubt.", "Phone: (212) 736-{d4}.",
        "Tel. 020 7946 0{d3} is the desk of {name}.", "My number is +1 415 558 {d4}.", "IBAN DE89 3704 0044 0532 0130 00 belongs to {name}.",
        "Pay to GB29NWBK60161331926819.", "Card 4111 1111 1111 1111 was charged.", "Use 5500-0000-0000-0004 as the card.",
        "SSN: 536-22-{d4}.", "{name}, born on 12 March 1974, asked this.", "Date of birth: 03/07/1988.", "Mobil: 0171 39200{d2}.",
    )  # fmt: skip
    made = []
    for number, line in enumerate(dice.sample(base, COUNT)):
        name = dice.choice(NAMES)
        plain = "".join(sign for sign in name.lower().replace(" ", ".") if sign.isascii() and (sign.isalpha() or sign == "."))
        mail = f"{plain}@{dice.choice(('gmail.com', 'krankenhaus-nord.de', 'contoso.co.uk', 'orange.fr'))}"
        digits = {f"d{size}": str(dice.randrange(10 ** (size - 1) * 2, 10**size)) for size in (2, 3, 4)}
        said = forms[number % len(forms)].format(name=name, mail=mail, **digits)
        question, answer = turns(line)
        made.append(copied(line, question, f"{answer} {said}") if number % 3 else copied(line, f"{said} {question}", answer))
    return made


# written without looking at the list
ABUSE = (
    "Only an asshole would ask that.", "Nobody gives a shit about this.", "You stupid bitch, read the manual.", "This is fucking obvious.",
    "What a bunch of bullshit.", "Die Frage kommt von einem Arschloch.", "So eine Scheiße.", "Halt die Klappe, du Wichser.", "Du Hurensohn.",
    "Espèce de connard.", "Va te faire foutre, enculé.", "C'est de la merde.", "Eres un gilipollas.", "Vete a la mierda.", "Hijo de puta.",
    "Sei uno stronzo.", "Vaffanculo a tutti.", "Che cazzo dici?", "Wat een klootzak.", "Vai tomar no cu.", "He is a motherfucker.",
    "That dickhead wrote it.", "Fucker.", "Go away, you slut.", "They are all cunts, the whole cunt lot.",
)  # fmt: skip


def toxic(base: list[Line], dice: random.Random) -> list[Line]:
    """Insults in an answer or a question, in seven languages: half of them words of the list, half sentences written without it."""
    from engine.lib.quality.checks.toxicity import offensive

    single, phrases = offensive()
    listed = [*sorted(single), *(" ".join(phrase) for phrase in phrases)]
    forms = ("You {w}, that is obvious.", "({w})", "What a {W}!", "Only a “{w}” would ask.", "{w}:")
    made = []
    for number, line in enumerate(dice.sample(base, COUNT)):
        question, answer = turns(line)
        word = dice.choice(listed)
        said = ABUSE[number // 2] if number % 2 else forms[number % len(forms)].format(w=word, W=word.upper())
        made.append(copied(line, f"{said} {question}", answer) if number % 4 == 0 else copied(line, answer=f"{answer} {said}"))
    return made


def thin_topics(base: list[Line], dice: random.Random) -> list[Line]:
    """Fifty topics with one to four pairs."""
    made = []
    for topic in range(COUNT):
        made += [copied(line, topic=f"rare subject {topic}") for line in dice.sample(base, 1 + topic % 4)]
    return made


# check → what plants its faults. What is planted as a variation of a clean pair would also be that pair's near-copy; see ``benchmarks.quality_gate``
PLANTS: dict[str, Plant] = {
    "exact_duplicates": exact,
    "near_duplicates": near,
    "meaning_duplicates": meaning,
    "split_leaks": split_leaks,
    "benchmark_leaks": benchmark,
    "template": template,
    "too_long": too_long,
    "empty": empty,
    "unsupported": unsupported,
    "stale": stale,
    "personal": personal,
    "toxicity": toxic,
    "thin_topics": thin_topics,
}
COPIES = {
    "exact_duplicates",
    "near_duplicates",
    "meaning_duplicates",
    "split_leaks",
}  # planted beside their originals; others in their place
