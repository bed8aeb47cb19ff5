"""Gridgrade: a credit grade for every customer of an electric utility, once a month.

    billing system (CIS)      any SQL database, read through sql/extract/*.sql
          | extract           one immutable Parquet partition per source table and recorded month
        lake/
          | validate          Great Expectations: pass, or quarantine with reasons, or stop the run
          | indices           sql/lake/facts, sql/lake/indices on the engine: one row per customer
          | group             customer groups by value, demand and behaviour; stage of life
          | model             Fisher's discriminant: retrain a challenger, or apply the model in force for that month
          | grade             score, default probability, grade, reasons
          | sensitivity       what a change of one risk factor at a time does to them
          | publish           stage, audit, swap: one transaction, one revision of one month
    warehouse (PostgreSQL)    rating.*, ops.*, and the views in report.*
          | actions           service measures, rebates and outage notices, into the outbox; sent once approved
          | report            the month as one page

A step reads what the step before it left for the month, replaces its own output for the month and returns a small
summary. Steps do not know each other: ``run.py`` says what each is called with, and dags/ and ``cycle.py`` alone know
the order. Nothing here imports Airflow.
"""
