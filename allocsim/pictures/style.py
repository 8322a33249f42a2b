"""The style sheet of a page: two colour schemes, and layouts for phones and for wider screens."""

from __future__ import annotations

from allocsim.pictures.palette import GRID, INK, LIVE, PAPER, QUIET, all_colours

NARROW = 760
"""Maximum width of a window, in pixels, in which the narrow pictures are shown."""

NARROW_PLOT, WIDE_PLOT = 290, 930
"""The two widths, in pixels, in which each plot is drawn."""

_LAYOUT = """
:root{color-scheme:light dark}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1080px;padding:0 16px 64px;font:16px/1.5 system-ui,sans-serif;
background:var(--paper);color:var(--ink)}
h1{font-size:26px;line-height:1.25;margin:28px 0 4px;overflow-wrap:anywhere}
h2{font-size:20px;margin:44px 0 8px;border-top:1px solid var(--grid);padding-top:20px}
a{color:var(--link)}
.lead{font-size:18px;margin:0 0 12px}
.skip{position:absolute;left:-9999px}
.skip:focus{left:16px;top:8px;background:var(--paper);padding:4px 8px}
nav ul{display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none;padding:0;margin:12px 0;
font-size:15px}
.answer{padding-left:20px;margin:8px 0}
.answer li{margin:6px 0;overflow-wrap:anywhere}
.warning{border-left:4px solid var(--warn);padding-left:12px;margin:8px 0;overflow-wrap:anywhere}
figure{margin:16px 0 0}
figcaption{color:var(--quiet);font-size:14px;max-width:760px;margin:4px 0 8px}
svg{display:block;overflow:visible;max-width:100%;height:auto;
font-family:"Liberation Sans",Arimo,Arial,Helvetica,sans-serif}
svg path[d*="h"][d*="v"]{shape-rendering:crispEdges}
svg.narrow{display:none;width:100%;max-width:560px}
summary{cursor:pointer;font-size:14px;color:var(--link)}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.scroll{overflow-x:auto;max-height:480px;overflow-y:auto;margin:8px 0}
table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--quiet);padding:4px 0}
th,td{padding:3px 12px 3px 0;text-align:left;border-bottom:1px solid var(--grid);white-space:nowrap}
.number{text-align:right}
dl{display:grid;grid-template-columns:minmax(110px,max-content) 1fr;gap:6px 18px;margin:8px 0}
dt{color:var(--quiet)}
dd{margin:0;overflow-wrap:anywhere;min-width:0}
code{font-family:ui-monospace,monospace;font-size:14px;overflow-wrap:anywhere}
"""

_ON_A_PHONE = """
svg.wide{display:none}
svg.narrow{display:block}
h1{font-size:22px}
table{font-size:13px}
th,td{padding-right:9px}
dl{grid-template-columns:1fr;gap:0}
dd{margin-bottom:8px}
"""

_IN_PRINT = "details,nav{display:none}"


def style_sheet() -> str:
    """Return the style sheet that all pages share."""
    return "".join(
        (
            _variables(0),
            _LAYOUT,
            f"@media (max-width:{NARROW}px){{{_ON_A_PHONE}}}",
            f"@media print{{{_IN_PRINT}}}",
            f"@media screen and (prefers-color-scheme:dark){{{_variables(1)}{_dark_pictures()}}}",
        )
    )


def _variables(scheme: int) -> str:
    """Return the colours of the page, for the light (0) or the dark scheme (1)."""
    named = {"ink": INK, "quiet": QUIET, "grid": GRID, "paper": PAPER, "link": LIVE}
    listed = "".join(f"--{name}:{colour[scheme]};" for name, colour in named.items())
    return f":root{{{listed}--warn:{('#b35900', '#f5a04c')[scheme]}}}"


def _dark_pictures() -> str:
    """Return the rules that replace each light colour of a picture by its dark one."""
    return "".join(
        f'svg [{kind}="{colour.light}"]{{{kind}:{colour.dark}}}'
        for colour in all_colours()
        for kind in ("fill", "stroke")
    )
