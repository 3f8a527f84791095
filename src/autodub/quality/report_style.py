"""The report's style sheet: one column that reads on a telephone and on a wide screen, light and dark."""

STYLE = """
:root { color-scheme: light dark; --ground: #f7f6f3; --card: #fff; --ink: #1d2126; --soft: #626a73;
  --line: #e3e1db; --source: #8a94a3; --dub: #0b7d77; --good: #1d7f45; --warn: #a66a00; --bad: #c02f3a;
  --band: #0b7d7718; --faint: #efede8; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171a; --card: #1c2024; --ink: #e8e6e1;
  --soft: #9aa3ad;
  --line: #2e343a; --source: #7d8896; --dub: #3cc2b6; --good: #57c785; --warn: #e3ad4a; --bad: #f2737b;
  --band: #3cc2b61f; --faint: #23282d; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 56px; }
header { margin-bottom: 22px; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere;
  letter-spacing: -.01em; }
h2 { font-size: 1.05rem; margin: 0 0 4px; letter-spacing: -.005em; }
p { margin: 0 0 8px; }
.soft { color: var(--soft); }
.small { font-size: .84rem; }
.verdict { display: flex; gap: 10px; align-items: baseline; flex-wrap: wrap; margin-top: 12px; }
.pill { border-radius: 99px; padding: 1px 11px; font-size: .8rem; font-weight: 650;
  border: 1.5px solid currentColor;
  white-space: nowrap; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
  .none { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(158px, 1fr)); gap: 10px;
  margin: 0 0 18px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 11px 13px 10px;
  border-top: 3px solid currentColor; display: flex; flex-direction: column; }
.card > * { color: var(--ink); }
.card .name { font-size: .8rem; color: var(--soft); line-height: 1.3; min-height: 2.6em; }
.card .value { font-size: 1.4rem; font-weight: 650; font-variant-numeric: tabular-nums; line-height: 1.3; }
.card .bound { font-size: .78rem; color: var(--soft); }
.card .mark { font-size: .78rem; font-weight: 650; color: inherit; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 16px 18px 14px;
  margin-bottom: 16px; min-width: 0; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0 16px; }
.pair:has(details[open]) { align-items: start; }
.pair > section { min-width: 0; }
@media (max-width: 820px) { .pair { grid-template-columns: 1fr; } }
@media (max-width: 520px) { main { padding: 18px 12px 40px; } section { padding: 13px 12px 12px; }
  .cards { grid-template-columns: 1fr 1fr; gap: 8px; } .card { padding: 9px 10px 8px; }
  .card .value { font-size: 1.2rem; } }
.key { display: flex; gap: 16px; flex-wrap: wrap; font-size: .84rem; color: var(--soft);
  margin: 2px 0 10px; }
.key i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px;
  vertical-align: -1px; }
.key i.thin { height: 3px; vertical-align: 4px; }
svg { display: block; width: 100%; overflow: visible; }
.lane { display: grid; grid-template-columns: 52px 1fr; gap: 8px; align-items: center; margin-bottom: 7px; }
.lane .at, .axis { font-size: .74rem; color: var(--soft); font-variant-numeric: tabular-nums;
  text-align: right; }
.lane svg { height: 26px; background: var(--faint); border-radius: 4px; }
.plot { display: grid; grid-template-columns: 52px 1fr; gap: 2px 8px; }
.plot svg { height: 170px; }
.axis { position: relative; }
.axis span { position: absolute; right: 0; transform: translateY(-50%); white-space: nowrap; }
.times { grid-column: 2; display: flex; justify-content: space-between; font-size: .74rem;
  color: var(--soft);
  font-variant-numeric: tabular-nums; }
.s { fill: var(--source); } .d { fill: var(--dub); } .b { fill: var(--bad); }
.grid { stroke: var(--line); stroke-width: 1; vector-effect: non-scaling-stroke; }
.band { fill: var(--band); }
.curve { fill: none; stroke-width: 1.6; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
.curve.source { stroke: var(--source); } .curve.dub { stroke: var(--dub); }
.dot { stroke: var(--dub); stroke-width: 6; stroke-linecap: round; vector-effect: non-scaling-stroke; }
.dot.many { stroke-width: 3.5; } .dot.off { stroke: var(--bad); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: .78rem; }
th, td { padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.text { overflow-wrap: anywhere; min-width: 130px; }
td ul { margin: 0; padding: 0; list-style: none; }
.meter { display: inline-block; height: 8px; border-radius: 4px; background: var(--dub);
  vertical-align: middle;
  min-width: 2px; }
.meter.bad { background: var(--bad); } .meter.warn { background: var(--warn); }
details { margin-top: 6px; } summary { cursor: pointer; color: var(--soft); font-size: .88rem; }
td.id { white-space: nowrap; color: var(--soft); font-size: .8rem; }
.label { display: none; }
details table { margin-top: 8px; } table.counts { font-size: .84rem; }
table.counts + table.counts { margin-top: 14px; }
@media (max-width: 640px) {
  .label { display: inline; } table.figures thead { display: none; }
  table.figures tr { display: flex; flex-wrap: wrap; gap: 2px 14px; align-items: baseline; padding: 9px 0;
  border-bottom: 1px solid var(--line); }
  table.figures tr:last-child { border-bottom: 0; } table.figures td { border: 0; padding: 0; }
  table.figures td:empty { display: none; }
  table.figures td.id { order: 1; } table.figures td.n { order: 2; text-align: left; }
  table.figures td.text { order: 3; flex: 1 0 100%; }
  table.lines, table.lines tbody, table.lines tr, table.lines td { display: block; width: auto; }
  table.lines thead { display: none; } table.lines tr { border-bottom: 1px solid var(--line);
  padding: 8px 0; }
  table.lines tr:last-child { border-bottom: 0; } table.lines td { border: 0; padding: 1px 0; }
  table.lines td.n { text-align: left; display: inline-block; margin-right: 12px; } }
"""
