#include "report/sections.h"

namespace fovea::report {

std::string_view style_sheet() {
  return R"(
:root { color-scheme: light dark; --page: #f4f6f8; --card: #fff; --text: #1b2430; --muted: #566272; --line: #dfe4ea; --soft: #eef1f5;
  --accent: #1d5fb4; --second: #7c8794; --warm: #b4480f; --bar: #8fb3de; --whisker: #1b2430; --right: 31 95 180; --wrong: 205 85 20; --most: .62; }
@media (prefers-color-scheme: dark) { :root { --page: #11151b; --card: #191f28; --text: #e4e9f0; --muted: #a2adbb; --line: #2e3743; --soft: #222a35;
  --accent: #79aef2; --second: #98a3b2; --warm: #f29a6a; --bar: #35659f; --whisker: #e4e9f0; --right: 45 105 200; --wrong: 185 75 25; --most: .85; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 48px; }
header { margin-bottom: 20px; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 2px 0 6px; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 0 0 12px; }
h3 { font-size: .95rem; margin: 20px 0 6px; }
p { margin: 0 0 12px; overflow-wrap: anywhere; }
.kind, .facts, .note { color: var(--muted); }
.kind { margin: 0; font-size: .85rem; letter-spacing: .02em; }
.facts { margin: 0; }
.note { font-size: .9rem; }
section > :last-child { margin-bottom: 0; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 20px 22px; margin-bottom: 18px; }
.verdict { font-size: 1.1rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 12px; margin: 4px 0 14px; }
.tile { background: var(--soft); border-radius: 8px; padding: 12px 14px; }
.tile .name { font-size: .85rem; color: var(--muted); }
.tile .value { font-size: 1.7rem; font-weight: 600; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile .below { font-size: .82rem; color: var(--muted); }
.tile .interval { margin: 4px 0; height: 14px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 430px), 1fr)); gap: 18px 26px; }
figure { margin: 0; }
figcaption { font-size: .85rem; color: var(--muted); }
.chart svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--text); font-size: 12px; }
svg .tick { fill: var(--muted); }
svg .label { font-size: 12.5px; }
svg .middle { text-anchor: middle; }
svg .end { text-anchor: end; }
svg .axis { stroke: var(--muted); }
svg .grid { stroke: var(--line); }
svg .band { fill: var(--soft); }
svg .divide { stroke: var(--second); stroke-dasharray: 2 3; }
svg .mark { stroke: var(--warm); stroke-dasharray: 4 3; }
svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke: var(--accent); }
svg .line.training { stroke: var(--second); stroke-dasharray: 5 3; }
svg .dot { fill: var(--accent); }
svg .dot.training { fill: var(--second); }
svg .bar { fill: var(--bar); }
svg .track { fill: var(--line); opacity: .55; }
svg .whisker { stroke: var(--whisker); stroke-width: 1.4; vector-effect: non-scaling-stroke; }
svg .ideal { stroke: var(--second); stroke-dasharray: 4 4; }
svg .expected { stroke: var(--warm); stroke-width: 3; }
svg.interval { display: block; width: 100%; height: 16px; overflow: visible; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th { text-align: left; font-weight: 500; }
thead th { color: var(--muted); font-size: .82rem; vertical-align: bottom; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.plain td, .plain th { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); }
.plain td { overflow-wrap: anywhere; }
.classes { width: 100%; }
.classes td, .classes th { padding: 3px 8px 3px 0; }
.classes tbody th { max-width: 11rem; overflow-wrap: anywhere; }
.classes .drawing { width: 45%; min-width: 110px; }
.classes .range { color: var(--muted); }
div.scale { display: flex; justify-content: space-between; font-size: .75rem; color: var(--muted); }
.counts { width: 100%; }
.counts .share { width: 40%; padding-right: 0; }
.share span { display: block; height: 10px; border-radius: 2px; background: var(--bar); }
.sum th, .sum td { font-weight: 600; border-bottom: 0; }
.matrix { font-size: .82rem; border-spacing: 2px; border-collapse: separate; }
.matrix td { width: calc((990px - 10.5rem) / var(--n) - 2px); min-width: 18px; max-width: 52px; height: 30px; padding: 0; text-align: center; background: var(--soft); border-radius: 3px;
  font-variant-numeric: tabular-nums; }
.matrix td.diagonal { outline: 1px dashed var(--line); outline-offset: -2px; }
.matrix .right { background: rgb(var(--right) / calc(var(--s) * var(--most))); }
.matrix .wrong { background: rgb(var(--wrong) / calc(var(--s) * var(--most))); font-weight: 600; }
.matrix tbody th { padding-right: 8px; text-align: right; max-width: 10rem; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.matrix thead th span { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 9rem; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.matrix thead th { padding: 0 0 4px; text-align: center; }
.matrix thead .corner { text-align: right; padding-right: 8px; font-style: italic; max-width: 6rem; }
.key { padding: 1px 8px; border-radius: 3px; color: var(--text); }
.key.right { background: rgb(var(--right) / calc(.8 * var(--most))); }
.key.wrong { background: rgb(var(--wrong) / calc(.8 * var(--most))); }
.beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 20px 30px; align-items: start; }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); gap: 16px; }
.mistake { border: 1px solid var(--line); border-radius: 8px; padding: 10px; }
.mistake .pictures { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; align-items: center; justify-items: center; height: 160px; }
.mistake img { display: block; width: 100%; height: 160px; object-fit: contain; }
.mistake .gone { grid-column: 1 / -1; font-size: .82rem; color: var(--muted); margin: 0; }
.mistake dl { display: grid; grid-template-columns: auto 1fr; gap: 0 10px; margin: 8px 0 2px; color: var(--text); }
.mistake dt { color: var(--muted); }
.neighbors { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 14px; }
.neighbor .picture { display: grid; place-items: center; height: 150px; margin-bottom: 6px; background: var(--soft); border-radius: 6px; }
.neighbor:first-child .picture { outline: 3px solid var(--accent); }
.neighbor img { display: block; max-width: 100%; width: auto; height: auto; max-height: 150px; border-radius: 4px; }
.neighbor strong { color: var(--text); font-variant-numeric: tabular-nums; }
.neighbor .gone { font-size: .82rem; color: var(--muted); margin: 6px; }
dd { margin: 0; overflow-wrap: anywhere; }
small { color: var(--muted); font-size: .85em; font-variant-numeric: tabular-nums; }
.file { font-size: .78rem; color: var(--muted); overflow-wrap: anywhere; }
.files { margin: 0; padding-left: 1.2em; font-size: .85rem; overflow-wrap: anywhere; }
.list { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: 3px 16px; margin: 0; font-size: .88rem; }
.list dt { color: var(--muted); }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 0 30px; }
.command { background: var(--soft); border-radius: 6px; padding: 10px 12px; margin: 0 0 12px; white-space: pre-wrap; overflow-wrap: anywhere; font: .88rem/1.45 ui-monospace, "DejaVu Sans Mono", Consolas, monospace; }
@media (max-width: 560px) { main { padding: 16px 10px 32px; } section { padding: 16px 14px; } h1 { font-size: 1.4rem; }
  .list { grid-template-columns: 1fr; gap: 0; } .list dd { margin-bottom: 6px; } .classes .range { display: none; } .classes .drawing { width: 32%; min-width: 80px; }
  .matrix { font-size: .74rem; border-spacing: 1px; } .matrix td { height: 24px; min-width: 20px; } .matrix tbody th { max-width: 6rem; } .matrix thead .corner { max-width: 4.5rem; } }
@page { size: A4; margin: 14mm; }
@media print { :root { --page: #fff; --card: #fff; --text: #1b2430; --muted: #566272; --line: #dfe4ea; --soft: #eef1f5; --accent: #1d5fb4; --second: #7c8794;
  --warm: #b4480f; --bar: #8fb3de; --whisker: #1b2430; --right: 31 95 180; --wrong: 205 85 20; --most: .62; color-scheme: light; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 10pt; } main { max-width: none; padding: 0; } section { border: 0; border-top: 1px solid var(--line); border-radius: 0; padding: 12px 0; margin: 0; }
  h2, h3, thead, .note { break-after: avoid; } figure, tr, #calibration, .tile, .tiles, .matrix, .command { break-inside: avoid; } .scroll { overflow: visible; }
  .charts, .mistakes { display: block; } .charts figure { display: inline-block; width: 49%; margin: 0 0 8px; } .beside { grid-template-columns: 1fr 1fr; } .columns { grid-template-columns: 1fr 1fr; } .mistake { display: inline-block; width: 32%; margin: 0 .6% 8px 0; vertical-align: top; } .mistake .pictures { height: 30mm; } .mistake img { height: 30mm; }
  .neighbors { grid-template-columns: repeat(5, 1fr); gap: 8px; } .neighbor .picture { height: 32mm; } .neighbor img { max-height: 32mm; }
  table { font-size: 9pt; } .plain td, .plain th { padding: 2px 10px 2px 0; }
  .tiles { grid-template-columns: repeat(4, 1fr); } .matrix { font-size: 8pt; } .matrix td { min-width: 0; width: calc((182mm - 8rem) / var(--n)); height: 5.6mm; } }
)";
}

}  // namespace fovea::report
