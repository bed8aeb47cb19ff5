"""The monthly report: one HTML page of a published month, whose every figure is that of a view in ``report``.

``report`` is the step; ``figures`` reads the views, ``sections`` makes tables and charts of them, ``report.html`` is
the page and ``texts.yaml`` its words in English and Chinese.
"""
