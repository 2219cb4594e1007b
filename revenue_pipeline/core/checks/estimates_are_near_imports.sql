-- SDK estimates are off by a few percent as a rule. Gives the partner days whose verified keys were imported at less
-- than half or more than twice their estimates: mostly a wrong currency, id mapping or time zone in the settings.
SELECT report_date, partner, sum(estimated_revenue) AS estimated_revenue, sum(imported_revenue) AS imported_revenue
FROM core.reconciled_estimates
WHERE report_date >= $start_date AND report_date < $end_date AND status = 'verified' AND estimated_revenue > 0
GROUP BY report_date, partner
HAVING sum(imported_revenue) * 2 < sum(estimated_revenue) OR sum(imported_revenue) > sum(estimated_revenue) * 2
ORDER BY report_date, partner
