# SPDX-License-Identifier: GPL-3.0-only
"""How a page looks: light and dark, wide and narrow, on screen and on paper."""

from __future__ import annotations

AUTHORS = 5
"""How many snapds have a colour of their own; class `a0` is for the rest and for nobody."""

_LIGHT = """
--page:#fff;--card:#f6f8fa;--ink:#1b1f24;--soft:#59636e;--line:#d1d9e0;--track:#eaeef2;--link:#0550ae;
--held:#1a7f37;--unproven:#8a5a00;--violated:#c81e2b;--error:#a8277e;--on:#fff;
--a0:#6e7781;--a1:#0b7285;--a2:#5f3dc4;--a3:#9a5b00;--a4:#2b6cb0;--a5:#7a4b6b;
"""
_DARK = """
--page:#0d1117;--card:#161b22;--ink:#e6edf3;--soft:#9aa4af;--line:#30363d;--track:#21262d;--link:#79b8ff;
--held:#57c26a;--unproven:#d9a530;--violated:#ff7b72;--error:#f08cc8;--on:#0d1117;
--a0:#8b949e;--a1:#4fc3d5;--a2:#b09cff;--a3:#f0a94a;--a4:#79b8ff;--a5:#e0a3c8;
"""

_COLOURS = (
    f":root{{color-scheme:light dark;{_LIGHT}}}\n"
    f"@media screen and (prefers-color-scheme:dark){{:root{{{_DARK}}}}}\n"
    + "".join(f".a{n}{{color:var(--a{n})}}" for n in range(AUTHORS + 1))
    + "".join(
        f".{word.upper()}{{--mark:var(--{word})}}" for word in ("held", "unproven", "violated", "error")
    )
)

_PAGE = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:1180px;padding:1.25rem 1rem 3rem;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,"Segoe UI",Roboto,"Liberation Sans","DejaVu Sans",sans-serif;overflow-wrap:anywhere}
h1{font-size:1.45rem;line-height:1.25;margin:.2rem 0 .5rem}
h2{font-size:1.2rem;margin:2.2rem 0 .6rem;padding-bottom:.25rem;border-bottom:1px solid var(--line)}
h3{font-size:1rem;margin:1.1rem 0 .35rem}
p{margin:.35rem 0}
a{color:var(--link)}
a:focus-visible,summary:focus-visible{outline:2px solid var(--link);outline-offset:2px;border-radius:2px}
code{overflow-wrap:anywhere}
code,pre,.q{font-family:ui-monospace,"Liberation Mono","DejaVu Sans Mono",monospace;font-size:.86em}
pre{white-space:pre-wrap;margin:.5rem 0;padding:.6rem .75rem;background:var(--card);
border:1px solid var(--line);border-radius:6px}
.q,td,pre,h3{unicode-bidi:isolate}
.soft{color:var(--soft)}
.small{font-size:.87rem;font-weight:400}
header{border-left:6px solid var(--mark);padding:.1rem 0 .1rem .9rem}
.word{display:inline-block;padding:0 .5em;border-radius:4px;background:var(--mark);color:var(--on);
font-size:.8em;font-weight:700;letter-spacing:.03em;vertical-align:.08em}
.lead{font-size:1.05rem}
nav ul,.run{list-style:none;margin:.6rem 0;padding:0;display:flex;flex-wrap:wrap;gap:.35rem .9rem}
.run{gap:.5rem}
.run li{flex:1 1 12rem;padding:.4rem .6rem;background:var(--card);border:1px solid var(--line);
border-top:4px solid var(--mark,var(--line));border-radius:6px}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.6rem 0}
dl.facts dt{color:var(--soft)}dl.facts dd{margin:0}
article.finding{margin:.7rem 0;padding:.35rem .8rem .55rem;background:var(--card);
border:1px solid var(--line);border-left:5px solid var(--mark);border-radius:6px}
article.finding h3{margin:.15rem 0 .2rem}
article.finding ol{margin:.35rem 0 0;padding-left:1.3rem;font-size:.9rem}
article:target,tr:target,section:target h2{background:color-mix(in srgb,var(--link) 14%,var(--card))}
details{margin:.5rem 0}
summary{cursor:pointer;color:var(--link);padding:.15rem 0}
table{border-collapse:collapse;width:100%;font-size:.87rem;margin:.4rem 0}
caption{text-align:left;color:var(--soft);padding:.2rem 0}
th,td{text-align:left;vertical-align:top;padding:.22rem .6rem .22rem 0;min-width:4.2rem;
border-bottom:1px solid var(--line)}
th{font-weight:600}thead th{color:var(--soft);font-weight:500}
td.place{white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.bad{color:var(--violated);font-weight:600}
ul.notes{margin:.3rem 0;padding-left:1.1rem;color:var(--soft);font-size:.85rem}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;margin:.4rem 0;padding:0;list-style:none;font-size:.85rem;
color:var(--soft)}
.legend svg{width:18px;height:16px;vertical-align:-3px;margin-right:.2rem}
.legend i{display:inline-block;width:18px;height:11px;background:currentColor;opacity:.75;border-radius:2px;
margin-right:.3rem;vertical-align:-1px}
footer{margin-top:2.5rem;color:var(--soft);font-size:.85rem}
"""

_STRIP = """
figure{margin:.6rem 0}
svg.strip{display:block;width:100%;overflow:hidden;background:var(--card);border:1px solid var(--line);
border-radius:6px;font:12px system-ui,"Liberation Sans","DejaVu Sans",sans-serif}
svg.defs{position:absolute;width:0;height:0}
.strip text{fill:var(--ink)}
.strip .name{font-weight:600;paint-order:stroke;stroke:var(--card);stroke-width:3px}
.strip .tick{fill:var(--soft);font-size:11px}
.strip .grid{stroke:var(--line);stroke-width:1}
.strip .track{fill:var(--track)}
.strip .bar{fill:currentColor;fill-opacity:.3;stroke:currentColor;stroke-width:1}
.strip .step{fill-opacity:.1;stroke-opacity:.5}
.strip .starting{fill-opacity:.12}
.strip .waiting,.strip .held{fill:url(#waits);stroke-dasharray:3 2}
.strip .about{stroke-dasharray:4 2}
.strip .wrong{color:var(--violated);stroke-width:2;fill:url(#wrong);fill-opacity:1}
.strip .label{font-size:11px}
.edge{stroke:currentColor;stroke-width:1.1;stroke-opacity:.75}.edge.old{stroke-opacity:.4}
.edge.broken{color:var(--violated);stroke-width:2.2;stroke-opacity:1;stroke-dasharray:7 3}
.head{fill:var(--soft)}.head.broken{fill:var(--violated)}
.sign{fill:currentColor;stroke:var(--card);stroke-width:1}
.sign.line{fill:none;stroke:currentColor;stroke-width:1.8}.sign.thick{stroke-width:3}
.hatch{stroke:currentColor;stroke-width:1;stroke-opacity:.5}
.hatch.wrong{stroke:var(--violated);stroke-width:2;stroke-opacity:.4}
.strip .says{fill:var(--violated);font-size:11px;font-weight:600;paint-order:stroke;
stroke:var(--card);stroke-width:3px}
.strip .far{opacity:.6}
use.FAILED,use.TROUBLE,use.guilty{color:var(--violated)}
use.UNKNOWN{color:var(--unproven)}
.narrow{display:none}
"""

_NARROW = """
@media (max-width:700px){
body{padding:.8rem .7rem 2rem;font-size:14px}
.wide{display:none}.narrow{display:inline}
dl.facts{grid-template-columns:1fr;gap:0}dl.facts dd{margin:0 0 .35rem}
table.stack thead{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
table.stack,table.stack caption,table.stack tbody,table.stack tr,table.stack th,
table.stack td{display:block;width:auto;border:0;
min-width:0;text-align:left;white-space:normal}
table.stack tr{padding:.35rem 0;border-bottom:1px solid var(--line)}
table.stack td,table.stack th{padding:.05rem 0}
table.stack [data-name]::before{content:attr(data-name) " ";color:var(--soft);font-weight:400}
table.stack td:empty{display:none}
table.stack td.n,table.stack td.k{display:inline-block;padding-right:.8rem}
}
"""

_PAPER = """
@page{margin:14mm 12mm}
@media print{
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
body{max-width:none;padding:0;font-size:10pt}
a{color:inherit}nav{display:none}
details::details-content{content-visibility:visible;display:block}
article.finding,figure,tr,pre{break-inside:avoid}
h2,h3{break-after:avoid}
}
@media (prefers-contrast:more){:root{--soft:var(--ink);--line:var(--ink)}}
"""

STYLE = "".join((_COLOURS, _PAGE, _STRIP, _NARROW, _PAPER))
