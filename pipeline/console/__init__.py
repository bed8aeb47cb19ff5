"""What the console's pages show and do, without any page: read models of the warehouse, and the changes people make.

Everything that reads takes settings of ``pipeline.warehouse.reader.reading``. Nothing here knows Airflow or HTTP.
"""
