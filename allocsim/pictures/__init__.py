"""Pictures: a result as a page of HTML without scripts, as SVG and as PNG.

1. For each kind of picture, a module (`timeline`, `bars`, `heap_map`, ...) returns a `Figure`: a
   Vega-Lite specification as a dict, and a table with the same numbers.
2. `render` draws specifications with vl-convert, and `svg` keeps only harmless elements.
3. `explanation_page`, `run_page`, `comparison_page` and `sweep_page` choose figures and texts.
   `page` arranges them as HTML. The command line writes the files.

`palette` defines the colours. A part of the footprint has the same colour in every picture.
"""
