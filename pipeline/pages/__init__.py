"""What the pages of the project share: colours for light and dark, charts as SVG, the style, and safe templates.

Used by the monthly report, the model card and the console. A page needs no script and no request.
"""
