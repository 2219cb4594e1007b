-- Every landed row should be usable. Gives how many rows of the run's folders were rejected, and why: by rule and column.
SELECT dataset, folder_date, reason, field, count(*) AS rejected, min(file) AS for_example_in
FROM raw.rejected_rows
WHERE folder_date >= $start_date AND folder_date < $end_date
GROUP BY dataset, folder_date, reason, field
ORDER BY dataset, folder_date, reason, field
