"""SVG for a page: the parts of the renderer's output that are kept."""

from allocsim.pictures.svg import page_svg

DRAWN = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
 version="1.1" width="30" height="20" viewBox="0 0 30 20" onload="alert(1)"><style>*{}</style>
<script>alert(1)</script><g transform="translate(1,2)" id="a" aria-label="x"><g/><a
 xlink:href="javascript:alert(1)"><path d="M0,0"/></a><path d="M1,1h2" fill="#2f86c5" opacity="1"
 onclick="alert(1)"/><path d="" display="none"/><text>a &lt;b&gt;<tspan>c</tspan></text><image
 href="http://evil.example/"/></g></svg>"""


def test_only_harmless_elements_and_attributes_are_kept() -> None:
    assert page_svg(DRAWN, "wide") == (
        '<svg class="wide" aria-hidden="true" focusable="false" viewBox="0 0 30 20" width="30" '
        'height="20"><g transform="translate(1,2)"><path d="M1,1h2" fill="#2f86c5"></path>'
        "<text>a &lt;b&gt;<tspan>c</tspan></text></g></svg>"
    )
