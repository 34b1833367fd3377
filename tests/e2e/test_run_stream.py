"""The script of a run's page, alone in a browser: what it could not fetch it fetches again."""

import pytest
from playwright.sync_api import Browser, Route

from tests.materials import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ORIGIN = "http://studio.test"
PAGE = """<!doctype html><html><head><meta charset="utf-8"></head><body>
<div data-run="/run/" data-socket="/ws/" data-last-seq="0"><section id="run-head">{state}</section>
<div id="run-charts"></div><script id="run-places" type="application/json">{{}}</script></div>
<script>
  window.htmx = {{ process() {{}} }};
  window.WebSocket = class {{ constructor() {{ window.socket = this; setTimeout(() => this.onopen?.()); }} }};
</script><script type="module" src="/static/js/run-stream.js"></script></body></html>"""
SAY = "(events) => window.socket.onmessage({ data: JSON.stringify({ events }) })"


def test_fragments_that_could_not_be_fetched_are_fetched_again_without_a_further_event(browser: Browser) -> None:
    answers = iter(["away", "broken", "Running", "Succeeded"])
    asked = []

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN)
        if path.startswith("/static/"):
            return route.fulfill(path=ROOT / path[1:])
        if path == "/":
            return route.fulfill(body=PAGE.format(state="Waiting"), content_type="text/html")
        asked.append(state := next(answers))
        if state == "away":
            return route.abort()
        return route.fulfill(status=500 if state == "broken" else 200, body=PAGE.format(state=state), content_type="text/html")

    page = browser.new_page()
    page.route("**/*", answer)
    page.goto(f"{ORIGIN}/")
    page.wait_for_function("window.socket")
    page.evaluate(SAY, [{"seq": 1, "type": "status", "data": {}}])
    page.wait_for_function("document.getElementById('run-head').textContent === 'Running'")
    assert asked == ["away", "broken", "Running"]
    page.evaluate(SAY, [{"seq": 2, "type": "status", "data": {}}])  # and afterwards it is quick again
    page.wait_for_function("document.getElementById('run-head').textContent === 'Succeeded'", timeout=5000)
    page.wait_for_timeout(1500)
    assert len(asked) == 4
    page.close()
