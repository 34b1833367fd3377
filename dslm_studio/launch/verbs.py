"""The command line. Standard library only: a wrong verb is refused before anything is installed."""

import argparse

SUMMARY = "Turn your own documents into an expert language model, on this machine."


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="./studio", description=SUMMARY)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, help_text: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")

    demo = verb("demo", "start everything and build a domain model from documents, then keep serving")
    demo.add_argument("--exit", action="store_true", dest="exit_after", help="stop everything after the report")
    up = verb("up", "start everything and serve until Ctrl+C")
    for serving in (demo, up):
        serving.add_argument("--port", type=port_number, help="the web port (a free one, kept for the next time)")
        serving.add_argument("--host", help="the address to listen on (127.0.0.1)")
    test = verb("test", "run the checks and the whole test suite; further arguments go to pytest")
    test.add_argument("--fast", action="store_true", help="checks and quick tests only, under two minutes")
    verb("status", "what is running")
    verb("stop", "stop what runs; trainings save first")
    doctor = verb("doctor", "what this machine can do, what is missing and how to mend it")
    doctor.add_argument("--json", action="store_true", dest="as_json", help="print the findings as JSON")
    return top


def parse(arguments: list[str]) -> argparse.Namespace:
    """The verb and its options; what ``test`` does not know is kept in ``.pytest``."""
    if arguments[:1] == ["test"]:
        known, rest = parser().parse_known_args(arguments)
        known.pytest = rest
        return known
    return parser().parse_args(arguments)


def port_number(text: str) -> int:
    number = int(text) if text.isdigit() else -1
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port between 1 and 65535")
    return number
