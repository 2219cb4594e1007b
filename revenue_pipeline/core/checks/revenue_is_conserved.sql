-- Not a digit is lost: both differences of the certificate are exactly 0. Gives the partner days where they are not.
SELECT report_date, partner, difference, allocation_difference
FROM core.revenue_conservation
WHERE report_date >= $start_date AND report_date < $end_date AND (difference <> 0 OR allocation_difference <> 0)
ORDER BY report_date, partner
