"""The page at `/`: how the service is doing right now, for a person."""

from __future__ import annotations

from html import escape
from string import Template

from thalweg_server.core.observation import Flavor
from thalweg_server.core.totals import CandidateTotals
from thalweg_server.telemetry.exporter import Telemetry

CANDIDATES_SHOWN = 20
"""Names of candidates in the table; a page for people is no place for thousands."""

_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>Thalweg</title>
<style>
:root { --ink: #16232b; --dim: #5d707b; --line: #d9e2e6; --paper: #f6f9fa; --card: #fff;
  --flow: #0b7285; --bad: #b3261e }
@media (prefers-color-scheme: dark) { :root { --ink: #e3edf1; --dim: #8fa3ad; --line: #26363f;
  --paper: #0f171c; --card: #162128; --flow: #3bc9db; --bad: #ff8a80 } }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif }
body > * { max-width: 56rem; margin: 0 auto; padding: 0 1.25rem }
header { padding-top: 2.5rem; border-top: 4px solid var(--flow) }
h1 { margin: 0; font-size: 1.6rem; letter-spacing: -.01em }
header p, footer, dt, th { color: var(--dim); margin: 0 }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem;
  margin: 1.75rem 0 }
dl > div { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: .8rem 1rem }
dt { font-size: .8rem } dd { margin: 0; font-size: 1.45rem; font-variant-numeric: tabular-nums }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .45rem .25rem; border-bottom: 1px solid var(--line) }
th { font-weight: 400; font-size: .8rem }
th:first-child, td:first-child { text-align: left; overflow-wrap: anywhere }
footer { padding-block: 2rem; font-size: .85rem } a { color: var(--flow) }
.lost, .no { color: var(--bad) }
</style>
<header><h1>Thalweg</h1><p>One learning model per item.</p></header>
<main>$main</main>
<footer><a href="/metrics">/metrics</a> · <a href="/healthz">/healthz</a> ·
<a href="/readyz">/readyz</a> · $versions · <span id="age">as of when it was loaded</span></footer>
<script>
const age = document.getElementById("age");
setInterval(async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch("/", { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.querySelector("main").replaceWith(page.querySelector("main"));
    age.textContent = "as of " + new Date().toLocaleTimeString();
    age.className = "";
  } catch { age.className = "lost"; if (!age.textContent.startsWith("no answer"))
    age.textContent = "no answer; figures " + age.textContent; }
}, 2000);
</script>
</html>
""")

_TABLE = """<table><tr><th>candidate</th><th>scored predictions</th>{error}
<th>not finite</th></tr>{rows}</table>"""


def live_page(telemetry: Telemetry, *, ready: bool) -> str:
    """The whole page as HTML. It asks for itself every two seconds and swaps its main part."""
    versions = " · ".join(f"{name} {value}" for name, value in telemetry.versions.items())
    return _PAGE.substitute(
        main=_cards(telemetry, ready) + _table(telemetry), versions=escape(versions)
    )


def _cards(telemetry: Telemetry, ready: bool) -> str:
    service = telemetry.service
    rows = service.totals.rows
    cards = {
        "state": "ready" if ready else '<span class="no">not ready</span>',
        "flavor": service.flavor.value if service.flavor else "none yet",
        "models": _number(len(service.registry.models)),
        "rows learned": _number(rows["learned"]),
        "rows rejected or failed": _number(rows["rejected"] + rows["failed"]),
        "predictions pending": _number(service.ledger.pending),
    }
    items = (f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in cards.items())
    return f"<dl>{''.join(items)}</dl>"


def _table(telemetry: Telemetry) -> str:
    held = sorted(telemetry.service.totals.candidates(), key=lambda each: each[0])
    if not held:
        return "<p>Nothing was scored yet.</p>"
    numeric = telemetry.service.flavor is Flavor.REGRESSION
    rows = "".join(_row(name, totals, numeric) for name, totals in held[:CANDIDATES_SHOWN])
    more = len(held) - CANDIDATES_SHOWN
    table = _TABLE.format(error="<th>MAE over all models</th>" if numeric else "", rows=rows)
    return table + (f"<p>… and {_number(more)} more.</p>" if more > 0 else "")


def _row(name: str, totals: CandidateTotals, numeric: bool) -> str:
    cells = [escape(name), _number(totals.scored)]
    if numeric:
        cells.append(f"{totals.absolute_error / totals.scored:.4g}" if totals.scored else "–")
    cells.append(_number(totals.nonfinite))
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _number(value: int) -> str:
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
