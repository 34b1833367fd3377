import pytest

from curation.guidelines import guidelines_html


def test_markdown_becomes_headings_lists_tables_and_links():
    html = guidelines_html("# Good\n\n- short\n- true\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[more](https://example.org)")
    assert "<h1>Good</h1>" in html and "<li>short</li>" in html and "<td>2</td>" in html
    assert 'href="https://example.org"' in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>", "<b hx-get='/x'>b</b>", "![a](https://elsewhere.example/pixel.png)", "[a](javascript:alert(1))",
        "<img src=x onerror=alert(1)>", "<p style='color:red'>", "[a](data:text/html,<script>1</script>)",
    ],
)  # fmt: skip
def test_nothing_in_them_runs_or_asks_another_machine(text):
    html = guidelines_html(text)
    assert not any(f"<{tag}" in html for tag in ("script", "img", "b "))
    assert 'href="javascript' not in html and 'href="data' not in html and "<p style" not in html
