"""What a publisher earned, from whom, through which user, ad and message, and whether the number can be trusted.

The rooms, in the order that data flows through them; every arrow between them is a table:

    partners    talks to partner APIs; knows neither Dagster nor DuckDB
    raw         lands what partners and files say                       -> schema raw
    core        agrees on the money: ledger, allocation, certificate    -> schema core
    reports     what people read                                        -> schema reports
    explain     takes a number apart, down to its events
    page        the page of reports that a person opens in a browser
    simulator   a partner simulator and an event generator, to try everything without accounts

and what they share:

    settings, settings_tables   the settings file; what of it SQL reads
    partitions, run_day         days: windows, partitions, the day a run believes it is
    warehouse, publish          the one writer of the DuckDB file; the copy that people read
    sql, sql_asset, sql_macro   `.sql` files, the assets and the macros made of them
    preview                     rows as a person reads them in the UI
    catalog                     every table and macro there is
    schedules, definitions      what runs when, what Dagster sees
    run, freshness, known_on    a run in this process, how far numbers can be trusted, what they were on a day
    cohort_report, printing     cohort reports as a person asks for them; how values and rows are shown
    cli                         what a person types
"""
