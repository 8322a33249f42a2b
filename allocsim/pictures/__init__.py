"""Pictures: a result as a page of HTML without scripts, as SVG and as PNG.

1. A module for each kind of picture (`timeline`, `bars`, `heap_map`, ...) returns a `Figure`: a
   Vega-Lite specification as a dict, and a table with the same numbers.
2. `render` draws specifications with vl-convert, and `svg` keeps only harmless elements.
3. `page` puts figures and text on a page; `explanation_page`, `run_page` and `comparison_page`
   choose them. `write` writes the files.

`palette` has the colours. A part of the footprint has the same colour in every picture.
"""
