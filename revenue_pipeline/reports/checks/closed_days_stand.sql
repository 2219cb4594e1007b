-- A closed day should stand. Gives the days that this run restated after their import window had closed: a partner changed
-- what it had reported, and every report of those days with it.
SELECT
    restatements.partner, restatements.report_date, restatements.revenue - restatements.change AS revenue_before,
    restatements.revenue, restatements.change
FROM reports.restatements AS restatements
LEFT JOIN settings.partners AS partners ON partners.partner = restatements.partner
WHERE
    restatements.as_of = $as_of AND restatements.change <> 0
    AND restatements.report_date >= $start_date AND restatements.report_date < $end_date
    AND date_diff('day', restatements.report_date, $as_of)
        >= coalesce(partners.import_window_days, $default_import_window_days)
ORDER BY restatements.report_date, restatements.partner, restatements.imported_at
