"""What is said when pip fails: the cause, not only pip's last line."""

from pathlib import Path

import pytest

from dslm_studio.launch import pip_advice

LACKING = "ERROR: Could not find a version that satisfies the requirement torch==9\nERROR: No matching distribution found for torch==9"
AWAY = "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('Failed to establish a new connection')'\n"


@pytest.mark.parametrize(
    ("output", "code", "words"),
    [
        ("OSError: No space left on device", 1, "disk is full"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", 1, "pinned"),
        ("", -9, "memory"),
        (AWAY + LACKING.replace("torch==9\n", "torch==9 (from versions: none)\n"), 1, "could not be reached"),
        ("ERROR: HTTPSConnectionPool(host='pypi.example', port=443): Max retries exceeded with url: /simple", 1, "could not be reached"),
        (LACKING.replace("torch==9\n", "torch==9 (from versions: 1.0, 2.0)\n"), 1, "does not have this version"),
        # it answered at the second try
        (AWAY + LACKING.replace("torch==9\n", "torch==9 (from versions: 1.0)\n"), 1, "does not have this version"),
        ("WARNING: The repository located at far.example is not a trusted or secure host\n" + LACKING, 1, "https"),
        (AWAY.replace("NewConnectionError", "SSLError(CERTIFICATE_VERIFY_FAILED)") + LACKING, 1, "certificate"),
        (AWAY + "OSError: No space left on device", 1, "disk is full"),
        ("ReadTimeoutError: Read timed out.", 1, "too slow"),
        ("Something else", 1, "Read the log"),
    ],
)
def test_a_failed_pip_comes_with_advice(output: str, code: int, words: str) -> None:
    assert words in pip_advice.advice(output, code)


def test_what_an_earlier_call_said_is_no_reason(tmp_path: Path) -> None:
    log = tmp_path / "install.log"
    log.write_text(f"{pip_advice.BEGINS}first\nNo space left on device\n{pip_advice.BEGINS}second\n{LACKING}\n")
    assert "No space left" not in pip_advice.last_output(log)
    log.write_text("x" * 30_000 + LACKING)
    assert pip_advice.last_output(log).endswith(LACKING) and len(pip_advice.last_output(log)) == pip_advice.LONGEST
